"""What the kernel says of processes that nobody told us about: whose they are, and whether they live.

There are three answers to each question, and the third, that it cannot be known, is never taken for "ended": /proc can
be mounted so that it hides what this process may not trace (hidepid in proc(5)), though it runs as the same user.
"""

import contextlib
import os
import resource
import select
import threading
from pathlib import Path
from typing import NamedTuple

RLIMIT_LOCKS = 10
"""The limit that carries the mark; Linux does not enforce it, and Python does not name it."""
NO_MARK = 0
STRAY = -1
"""Stands for the mark of what bears none of this worker."""
MAX_OPEN = 1
"""Descriptors that a call here has open at most."""

_READ_BYTES = 64 * 1024
_STATE, _PARENT, _THREADS, _STARTED = 0, 1, 17, 19
"""Fields 3, 4, 20 and 22 of stat, counted from behind the name."""
_NOT_VISIBLE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""Gone, gone between opening and reading, or hidden by a mount option. Anything else is a failure to look."""
_MARK_LINE = b"Max file locks"


class Stat(NamedTuple):
    """Whether a process can still do anything, and the pid of its parent."""

    alive: bool
    parent: int


def children(pid: int) -> list[int]:
    """Return the direct children of a process, zombies and hidden ones included; none if it is not visible itself.

    Each thread has a list of its own. It is exact only for what neither forks nor dies meanwhile. Raises OSError
    rather than to say that this process itself has none.
    """
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 -- for every process of a sweep, Paths are slow
    except _NOT_VISIBLE:
        if pid == os.getpid():
            raise
        return found
    for thread in threads:
        found += map(int, (_read(f"/proc/{pid}/task/{thread}/children") or b"").split())
    return found


def lists_children() -> bool:
    """Return whether the kernel keeps the lists that `children` reads (CONFIG_PROC_CHILDREN)."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


def pids() -> list[int]:
    """Return every process that is visible, the oldest first as long as numbers have not begun anew."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 -- as above


def is_of_this_process() -> bool:
    """Return whether /proc is there and numbers processes as this one is numbered itself."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 -- of a text, not a path
    except OSError:
        return False


def mark(pid: int) -> int | None:
    """Return the soft RLIMIT_LOCKS of a process, NO_MARK if it is unlimited, None if that cannot be known.

    prlimit(2) needs no /proc, and works for processes of the same user that cannot be traced, and for zombies.
    """
    with contextlib.suppress(ProcessLookupError):
        try:
            soft, _ = resource.prlimit(pid, RLIMIT_LOCKS)
        except PermissionError:
            return _listed_mark(pid)
        return NO_MARK if soft == resource.RLIM_INFINITY else soft
    return None


def _listed_mark(pid: int) -> int | None:
    for line in (_read(f"/proc/{pid}/limits") or b"").splitlines():
        if line.startswith(_MARK_LINE):
            soft = line[len(_MARK_LINE) :].split()[0]
            return int(soft) if soft.isdigit() else NO_MARK
    return None


def stat(pid: int) -> Stat | None:
    """Return what /proc shows of a process; None if it is gone or not visible, which `ended` tells apart.

    A zombie can do nothing, unless it is only the first thread that has ended and others go on.
    """
    fields = _stat_fields(pid)
    if not fields:
        return None
    return Stat(fields[_STATE] not in b"ZX" or int(fields[_THREADS]) > 1, int(fields[_PARENT]))


def started_at(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since the system was; None if it is not visible."""
    fields = _stat_fields(pid)
    return int(fields[_STARTED]) if fields else None


def _stat_fields(pid: int) -> list[bytes]:
    # The name in front, in parentheses, can hold anything.
    return (_read(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()


def ended(pidfd: int) -> bool:
    """Return whether the last thread of a process has ended, whether or not it has been reaped (pidfd_open(2))."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _read(path: str) -> bytes | None:
    """Return what is in a file, None if it is not visible."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _NOT_VISIBLE:
        return None
    try:
        pieces: list[bytes] = []
        while piece := os.read(descriptor, _READ_BYTES):
            pieces.append(piece)
    except _NOT_VISIBLE:
        return None
    finally:
        os.close(descriptor)
    return b"".join(pieces)
