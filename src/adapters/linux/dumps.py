"""Keeping other processes of the same user out of this one: they would otherwise read and write whatever is in it."""

import ctypes

_PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """Leave no core, and let nobody without CAP_SYS_PTRACE trace this process or open its descriptors (prctl(2)).

    Processes that are forked from it inherit that, what is executed does not. Files in /proc/PID that only the owner
    may read belong to root from then on: whatever is needed of /proc/self/environ has to be read before.
    """
    # It cannot fail for this value.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
