"""Refuses commands that are too long for execve(2) before anything else is done for them."""

import errno
import os
import resource

from ....domain.outcome import NotStarted
from .start_failure import cannot_start, describe_failure

MANY_ARGUMENTS = 4096
"""Commands with fewer arguments are not checked here: execve(2) itself rejects them soon enough."""
_POINTER_BYTES = 8
_MIN_BYTES = 128 * 1024
_MAX_BYTES = 6 * 1024 * 1024
_STACK_DIVISOR = 4


def refuse_too_long(command: tuple[str, ...]) -> NotStarted | None:
    """Return why a command of many arguments can never start, or None if execve(2) may accept it.

    Linux allows arguments a quarter of the stack's soft limit, 128 KiB at least and 6 MiB at most. Each argument takes
    its bytes, a NUL and a pointer. Preparing 200,000 arguments for a call that fails takes tens of milliseconds.
    """
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    share = _MAX_BYTES if stack == resource.RLIM_INFINITY else stack // _STACK_DIVISOR
    limit = max(_MIN_BYTES, min(share, _MAX_BYTES))
    # Counts characters, each of which is encoded as one byte or more.
    if len("".join(command)) + len(command) * (1 + _POINTER_BYTES) <= limit:
        return None
    reason = describe_failure(OSError(errno.E2BIG, os.strerror(errno.E2BIG)), b"")
    return NotStarted(cannot_start(command[0].encode(), reason))
