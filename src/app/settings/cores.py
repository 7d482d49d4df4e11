"""How many cores this process may use: those of its affinity, and no more than its control group pays for."""

import math
import os
from collections.abc import Callable
from pathlib import Path

MAX_WORKERS = 4
"""By default. More gain little: the cores are for the tasks, too."""
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def default_workers() -> int:
    """Return one worker for each usable core, at most MAX_WORKERS."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(MAX_WORKERS, cores, math.ceil(_quota(cores))))


def _quota(cores: int) -> float:
    """Return how many of the cores the control groups allow on average (cgroups(7), versions 1 and 2)."""
    quotas = [float(cores)]
    for line in _lines(OWN_CGROUPS):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            quotas += _along(CGROUPS, path, _quota_v2)
        elif "cpu" in controllers.split(","):
            quotas += _along(CGROUPS / "cpu", path, _quota_v1)
    return min(quotas)


def _along(root: Path, path: str, quota: Callable[[Path], float | None]) -> list[float]:
    # A limit of each ancestor counts. In a container the path may lead outside of what is mounted: then only the root.
    folders = [root, *(root / part for part in _ancestors(path))]
    return [found for folder in folders if (found := quota(folder)) is not None]


def _ancestors(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _quota_v2(folder: Path) -> float | None:
    return _ratio(" ".join(_lines(folder / "cpu.max")))


def _quota_v1(folder: Path) -> float | None:
    return _ratio(" ".join([*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]))


def _ratio(text: str) -> float | None:
    """Return quota / period, of two numbers in microseconds; None for any other text, such as that of no limit."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:  # noqa: PLR2004
        return None
    return int(words[0]) / int(words[1])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
