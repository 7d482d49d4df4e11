"""What proc(5) says of processes that nobody told us about: whose they are, and whether they live."""

import contextlib
import os

_READ_BYTES = 64 * 1024
_MARK_LINE = b"Max file locks"
_ENDED = (b"Z", b"X")
_THREADS = 17
"""Where proc(5)'s num_threads stands, counted from the state."""


def children(pid: int) -> list[int]:
    """Return the direct children of a process, zombies included; none if it is gone.

    Each thread has a list of its own. It is exact only for what neither forks nor dies meanwhile.
    """
    found: list[int] = []
    with contextlib.suppress(OSError):
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
    """Return whether a process can still do anything, which a zombie cannot, and its parent; 0 if it is gone."""
    # The name in front, in parentheses, can hold anything.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields:
        return False, 0
    state, parent, threads = fields[0], int(fields[1]), int(fields[_THREADS])
    # One whose first thread has ended before the others is called a zombie as well, and goes on.
    return (state not in _ENDED or threads > 1), parent


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        pieces: list[bytes] = []
        while piece := os.read(descriptor, _READ_BYTES):
            pieces.append(piece)
    except OSError:
        return b""  # gone between opening and reading
    finally:
        os.close(descriptor)
    return b"".join(pieces)
