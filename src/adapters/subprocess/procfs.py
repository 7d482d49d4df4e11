"""What proc(5) says of processes that nobody told us about: whose they are, and whether they live."""

import contextlib
import os

_READ_BYTES = 64 * 1024
_MARK_LINE = b"Max file locks"


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


def state_and_parent(pid: int) -> tuple[str, int]:
    """Return the state letter and the parent of a process, as proc(5) has them; `X` and 0 if it is gone."""
    # The name in front, in parentheses, can hold anything.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (fields[0].decode(), int(fields[1])) if fields else ("X", 0)


def is_alive(state: str) -> bool:
    """Tell whether a process of this state can still do anything: a zombie cannot."""
    return state not in "ZX"


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
