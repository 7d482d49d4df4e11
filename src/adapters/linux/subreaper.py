"""Adopting what descendants leave behind, instead of process 1."""

import ctypes

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Have descendants whose parents die become children of this process (PR_SET_CHILD_SUBREAPER of prctl(2)).

    Raises OSError on a kernel before Linux 3.4.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
