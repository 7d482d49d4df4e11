"""Who is whose child: from the kernel's lists, or where it keeps none, from a scan of /proc by parent."""

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Protocol

from . import procfs


class Family(Protocol):
    """Names the children of processes; exact only for what neither forks nor dies meanwhile."""

    def refresh(self) -> Iterator[None]:
        """Before each walk: look anew; yields in between, so that the caller can do other things."""
        ...

    def children(self, pid: int) -> list[int]:
        """Return the direct children of a process, zombies included, the oldest first."""
        ...


class ListedFamily:
    """Reads /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)."""

    def refresh(self) -> Iterator[None]:
        """Do nothing: each list is read when it is asked for."""
        return iter(())

    def children(self, pid: int) -> list[int]:
        """Return what the lists of its threads say now."""
        return procfs.children(pid)


class ScannedFamily:
    """Reads the parent of every process of the machine: 10 us each, instead of a few for those that matter."""

    def __init__(self) -> None:
        self._children: dict[int, list[int]] = {}

    def refresh(self) -> Iterator[None]:
        """Scan; what is forked meanwhile is met by the next scan."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for pid in procfs.pids():
            seen = procfs.stat(pid)
            if seen is not None:
                found[seen.parent].append(pid)
            yield
        self._children = dict(found)

    def children(self, pid: int) -> list[int]:
        """Return what the last scan has found."""
        return self._children.get(pid, [])


def family() -> Family:
    """Return the quickest one that this system allows."""
    return ListedFamily() if procfs.lists_children() else ScannedFamily()


def unknowable() -> str | None:
    """Return why nothing can be known of this process's descendants here; None if it can."""
    if not procfs.is_of_this_process():
        return "/proc is missing, or shows another PID namespace; mount it (mount -t proc proc /proc)"
    if not procfs.lists_children() and procfs.stat(1) is None and os.getpid() != 1:
        return (
            "this kernel lists no children (CONFIG_PROC_CHILDREN), and /proc hides processes;"
            " mount it without hidepid, or run as root"
        )
    return None
