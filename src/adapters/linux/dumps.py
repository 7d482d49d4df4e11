"""Protects this process's memory, which other processes of the same user could otherwise read and write."""

import ctypes

_PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """Disable core dumps; only CAP_SYS_PTRACE allows to trace this process or open its descriptors (prctl(2)).

    fork(2) inherits that, execve(2) resets it. Files in /proc/PID that only the owner may read belong to root from then
    on, so /proc/self/environ has to be read before.
    """
    # It cannot fail for this value.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
