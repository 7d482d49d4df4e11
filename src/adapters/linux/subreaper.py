"""Makes this process a child subreaper, which adopts descendants whose parents end, in place of process 1."""

import ctypes

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Set PR_SET_CHILD_SUBREAPER (prctl(2)): descendants whose parents exit become children of this process.

    Raises OSError on kernels before Linux 3.4.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
