"""Processes by pid and pidfd: a pid may have been freed or reused, a pidfd always refers to the same process."""

import errno
import os
from collections.abc import Callable

from . import procfs

_NO_PROCESS = (errno.ESRCH, errno.EINVAL, errno.ENOENT)


def session_or_group(ask: Callable[[int], int], pid: int) -> int:
    """Return the session or process group of `pid`, by os.getsid or os.getpgid; 0 if it has ended."""
    try:
        return ask(pid)
    except ProcessLookupError:
        return 0


def is_alive(pid: int) -> bool:
    """Return whether any thread of a process is alive."""
    stat = procfs.stat(pid)
    if stat is not None:
        return stat.alive
    pidfd = open_pidfd(pid)
    if pidfd is None:
        return False
    try:
        return not procfs.ended(pidfd)
    finally:
        os.close(pidfd)


def open_pidfd(pid: int) -> int | None:
    """Return a pidfd; None if no process has this pid, though a thread or a process group may have the number."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in _NO_PROCESS:
            return None
        raise
