"""Children of processes: from the kernel's lists, or, without those, from the parents of all processes in /proc."""

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Protocol

from . import procfs


class Family(Protocol):
    """Returns the children of processes; exact only for processes that neither fork nor exit meanwhile."""

    def refresh(self) -> Iterator[None]:
        """Update, before each scan of the tree; yields in between, so that the caller can do other work."""
        ...

    def children(self, pid: int) -> list[int]:
        """Return the children of a process, zombies included, the oldest first."""
        ...


class ListedFamily:
    """Reads /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)."""

    def refresh(self) -> Iterator[None]:
        """Do nothing: `children` reads the current list."""
        return iter(())

    def children(self, pid: int) -> list[int]:
        """Return the children that the lists of its threads have now."""
        return procfs.children(pid)


class ScannedFamily:
    """Reads the parent of every process on the machine, 10 us each; lists are read for relevant processes only."""

    def __init__(self) -> None:
        self._children: dict[int, list[int]] = {}

    def refresh(self) -> Iterator[None]:
        """Read all of /proc; processes that are forked meanwhile are found by the next refresh."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for pid in procfs.pids():
            stat = procfs.stat(pid)
            if stat is not None:
                found[stat.parent].append(pid)
            yield
        self._children = dict(found)

    def children(self, pid: int) -> list[int]:
        """Return the children that the last refresh has found."""
        return self._children.get(pid, [])


def family() -> Family:
    """Return the fastest implementation that this system supports."""
    return ListedFamily() if procfs.lists_children() else ScannedFamily()


def unknowable() -> str | None:
    """Return the reason why this process's descendants cannot be found on this system; None if they can."""
    if not procfs.is_of_this_process():
        return "/proc is missing, or shows another PID namespace; mount it (mount -t proc proc /proc)"
    if not procfs.lists_children() and procfs.stat(1) is None and os.getpid() != 1:
        return (
            "this kernel lists no children (CONFIG_PROC_CHILDREN), and /proc hides processes;"
            " mount it without hidepid, or run as root"
        )
    return None
