"""Processes by their pids, which may be nobody's by now, or somebody else's: pidfds are fixed on one process."""

import errno
import os
from collections.abc import Callable

from . import procfs

_NO_PROCESS = (errno.ESRCH, errno.EINVAL, errno.ENOENT)


def number(ask: Callable[[int], int], pid: int) -> int:
    """Return the session or the group of a process, 0 if it has ended."""
    try:
        return ask(pid)
    except ProcessLookupError:
        return 0


def is_alive(pid: int) -> bool:
    """Return whether some thread of a process has not ended."""
    seen = procfs.stat(pid)
    if seen is not None:
        return seen.alive
    pidfd = open_pidfd(pid)
    if pidfd is None:
        return False
    try:
        return not procfs.ended(pidfd)
    finally:
        os.close(pidfd)


def open_pidfd(pid: int) -> int | None:
    """Return a pidfd; None if no process has that number, which is a thread's by now, or still that of a group."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in _NO_PROCESS:
            return None
        raise
