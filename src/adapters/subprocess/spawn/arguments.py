"""What execve(2) will not take for its length is refused before any more is done for it."""

import errno
import os
import resource

from ....domain.outcome import NotStarted
from .start_failure import cannot_start, describe_failure

MANY_ARGUMENTS = 4096
"""Fewer than that are left to the system: it says so itself, soon enough."""
_POINTER_BYTES = 8
_LEAST_BYTES = 128 * 1024
_MOST_BYTES = 6 * 1024 * 1024
_STACK_PART = 4


def refuse_too_long(command: tuple[str, ...]) -> NotStarted | None:
    """Return why a command of many arguments can never start, or None where the system is to be asked.

    Linux gives arguments a quarter of the stack's soft limit, 128 KiB at least and 6 MiB at most, in which each of them
    takes its bytes, a NUL and a pointer. Making 200,000 arguments ready to be told that takes tens of milliseconds.
    """
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    part = _MOST_BYTES if stack == resource.RLIM_INFINITY else stack // _STACK_PART
    most = max(_LEAST_BYTES, min(part, _MOST_BYTES))
    # Characters, of which each is a byte at least.
    if len("".join(command)) + len(command) * (1 + _POINTER_BYTES) <= most:
        return None
    reason = describe_failure(OSError(errno.E2BIG, os.strerror(errno.E2BIG)), b"")
    return NotStarted(cannot_start(command[0].encode(), reason))
