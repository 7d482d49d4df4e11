"""What proc(5) says of processes that nobody told us about: whose they are, and whether they live."""

import contextlib
import os

WIDTH = 1
"""Descriptors that a call here has open at most."""

_READ_BYTES = 64 * 1024
_STATE, _PARENT, _THREADS = 0, 1, 17
"""Fields 3, 4 and 20 of stat, counted from behind the name."""
_NOT_THERE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""Gone, gone between opening and reading, hidden by a mount option. Anything else is a failure to look."""
_MARK_LINE = b"Max file locks"


def children(pid: int) -> list[int]:
    """Return the direct children of a process, zombies included; none if it is gone.

    Each thread has a list of its own. It is exact only for what neither forks nor dies meanwhile.
    """
    found: list[int] = []
    with contextlib.suppress(*_NOT_THERE):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 -- for every process of a sweep, Paths are slow
            found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def mark(pid: int) -> int | None:
    """Return the soft RLIMIT_LOCKS of a process, None if it has no such limit or is gone."""
    for line in _read(f"/proc/{pid}/limits").splitlines():
        if line.startswith(_MARK_LINE):
            soft = line[len(_MARK_LINE) :].split()[0]
            return int(soft) if soft.isdigit() else None
    return None


def alive_and_parent(pid: int) -> tuple[bool, int]:
    """Return whether a process can still do anything, and who its parent is, 0 if it is gone.

    A zombie can do nothing, unless it is only the first thread that has ended and others go on.
    """
    # The name in front, in parentheses, can hold anything.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields:
        return False, 0
    return fields[_STATE] not in b"ZX" or int(fields[_THREADS]) > 1, int(fields[_PARENT])


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _NOT_THERE:
        return b""
    try:
        pieces: list[bytes] = []
        while piece := os.read(descriptor, _READ_BYTES):
            pieces.append(piece)
    except _NOT_THERE:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(pieces)
