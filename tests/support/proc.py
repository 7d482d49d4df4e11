"""Reads /proc: processes, their descriptors and memory. A zombie does not count as alive."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid: int) -> list[int]:
    """The children of a process, zombies included, without the starter of a worker."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return [child for child in found if not is_starter(child)]


def is_starter(pid: int) -> bool:
    """Whether this is a worker's starter, and not a process forked by it, which already has the mark of a task."""
    if b".start_program " not in command_line(pid):
        return False
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    soft = next(line for line in limits.splitlines() if line.startswith("Max file locks")).split()[3]
    # The starter has the mark of its worker, the beginning of a range of marks.
    return soft == "unlimited" or int(soft) % 2**40 == 0


def zombies(pid: int) -> list[int]:
    return [child for child in children(pid) if not is_alive(child)]


def command_line(pid: int) -> bytes:
    """The arguments of a process, each terminated by NUL; empty if it is dead or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def descriptors(pid: int) -> list[str]:
    """What each open descriptor of a process refers to."""
    found: list[str] = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return sorted(found)


async def settled_descriptors(pid: int) -> list[str]:
    """Return the descriptors when they no longer change, as they do while disconnected clients are closed."""
    found: list[str] = []
    while found != (found := descriptors(pid)):  # noqa: ASYNC110 -- there is no event for it
        await asyncio.sleep(0.2)
    return found


def alive_with(marker: str) -> list[int]:
    """Processes whose command line contains `marker`."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if marker.encode() in line and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def memory_kib(pid: int, field: str = "VmRSS") -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll until a condition holds; fail if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        await asyncio.sleep(0.01)


def open_descriptors() -> set[int]:
    """The open descriptors of this process."""
    # Without the one that lists the directory.
    return {int(entry.name) for entry in list(Path("/proc/self/fd").iterdir()) if entry.exists()}


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process with all its threads, with a resolution of 10 ms."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
