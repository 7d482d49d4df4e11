"""Marks, parents and states of processes, from /proc and prlimit(2).

"Unknown" is a possible result and never means "ended": with the mount option hidepid (proc(5)), /proc hides processes
that this one may not trace, even of the same user.
"""

import contextlib
import os
import resource
import select
import threading
from pathlib import Path
from typing import NamedTuple

RLIMIT_LOCKS = 10
"""The limit in which the mark is stored; Linux does not enforce it, and Python has no name for it."""
NO_MARK = 0
"""The soft limit is unlimited; also the mark under which a child is tracked that is no task, such as the starter."""
STRAY = -1
"""In place of a mark: the process has no mark of this worker."""
MAX_OPEN = 1
"""Maximum number of descriptors that a call here has open."""

_READ_BYTES = 64 * 1024
_STATE, _PARENT, _THREADS, _STARTED = 0, 1, 17, 19
"""Fields 3, 4, 20 and 22 of stat, counted from the first one after the name."""
_NOT_VISIBLE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""Reaped, reaped between open and read, or hidden by a mount option. Other errors are raised."""
_MARK_LINE = b"Max file locks"


class Stat(NamedTuple):
    """Whether a process has a live thread, and the pid of its parent."""

    alive: bool
    parent: int


def children(pid: int) -> list[int]:
    """Return the children of a process, zombies and hidden ones included; an empty list if it is not visible itself.

    Each thread has its own list. It is exact only for processes that neither fork nor exit meanwhile. Raises OSError if
    the lists of this process itself cannot be read.
    """
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 -- Path is slow, and this runs for every process
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
    """Return the pids of all visible processes, the oldest first unless pids have wrapped around."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 -- as above


def is_of_this_process() -> bool:
    """Return whether /proc is mounted and shows the PID namespace of this process."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 -- the result is a number, not a path
    except OSError:
        return False


def mark(pid: int) -> int | None:
    """Return the soft RLIMIT_LOCKS of a process, NO_MARK if it is unlimited, None if it is unknown.

    prlimit(2) needs no /proc, and works for untraceable processes of the same user, and for zombies.
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
    """Return the state of a process; None if it does not exist or is not visible, which `ended` distinguishes.

    A zombie is not alive, unless only its first thread has ended and others are running.
    """
    fields = _stat_fields(pid)
    if not fields:
        return None
    return Stat(fields[_STATE] not in b"ZX" or int(fields[_THREADS]) > 1, int(fields[_PARENT]))


def started_at(pid: int) -> int | None:
    """Return the start time of a process, in clock ticks since boot; None if it is not visible."""
    fields = _stat_fields(pid)
    return int(fields[_STARTED]) if fields else None


def _stat_fields(pid: int) -> list[bytes]:
    # The name before these fields, in parentheses, can contain any bytes.
    return (_read(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()


def ended(pidfd: int) -> bool:
    """Return whether the last thread of a process has ended, whether or not it has been reaped (pidfd_open(2))."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _read(path: str) -> bytes | None:
    """Return the contents of a file, None if it is not visible."""
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
