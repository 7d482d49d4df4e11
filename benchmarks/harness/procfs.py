"""Figures of a process, all read from /proc (proc(5)), none estimated."""

import os
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
"""The resolution of CPU time in /proc/PID/stat."""

_STATE, _PARENT, _USER_TIME, _SYSTEM_TIME = 0, 1, 11, 12  # fields 3, 4, 14 and 15, counted from the state


def _stat(pid: int) -> list[str]:
    # The second field is the program's name, which may contain spaces and parentheses: count fields after it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """Read user and system time of the process itself, without its children, reaped or not."""
    fields = _stat(pid)
    return (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) * TICK_SECONDS


def family(pid: int) -> tuple[int, ...]:
    """Return the process and its live descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = _stat(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):  # exited meanwhile
            continue
        if fields[_STATE] != "Z":
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found = [pid]
    for member in found:  # extended during the iteration: breadth first
        found.extend(children.get(member, ()))
    return tuple(found)


def _kib_field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    message = f"{path} has no {name}"
    raise LookupError(message)


def resident_bytes(pid: int) -> int:
    """Read VmRSS: the current resident memory."""
    return _kib_field(Path(f"/proc/{pid}/status"), "VmRSS")


def peak_bytes(pid: int) -> int:
    """Read VmHWM: the peak of resident memory since `forget_peak`."""
    return _kib_field(Path(f"/proc/{pid}/status"), "VmHWM")


def forget_peak(pid: int) -> None:
    """Reset VmHWM to the current resident memory."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def proportional_bytes(pid: int) -> int:
    """Read Pss: resident memory in which a page shared by n processes counts 1/n, so that sums are correct."""
    return _kib_field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")
