"""Finds and kills whole trees among the agent's own descendants, whatever they did to get away."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import procfs

CLEAN_WALKS = 2
"""A process whose parent dies during a walk moves to where the walk has been, so one clean walk proves nothing."""


@dataclass(slots=True)
class Sighting:
    """What one walk saw alive of one task: pids, and why one of them could not be killed."""

    alive: list[int] = field(default_factory=list[int])
    reason: str = "does not die of SIGKILL (proc(5) may say where it hangs)"


class Descent:
    """Knows which direct child of this process belongs to which mark.

    Children that were spawned here are enrolled; every other one was adopted, since this process is a child subreaper
    (prctl(2)), and is told by its mark. What stands below a child belongs to the same mark as that child.
    """

    def __init__(self) -> None:
        """Know nobody yet."""
        self._pid = os.getpid()
        self._leaders: dict[int, int] = {}
        self._adopted: dict[int, int | None] = {}

    def enrol(self, pid: int, mark: int) -> None:
        """Take note of a child whose end somebody else waits for."""
        self._leaders[pid] = mark
        self._adopted.pop(pid, None)

    def release(self, pid: int) -> None:
        """Forget a child that has been reaped."""
        self._leaders.pop(pid, None)

    def abandon(self, pid: int) -> None:
        """Treat a child that nobody waits for any more as adopted: it is reaped here."""
        mark = self._leaders.pop(pid, None)
        self._adopted[pid] = mark

    @property
    def adopted_marks(self) -> set[int]:
        """The marks of the adopted children that the last walk left alive."""
        return {mark for mark in self._adopted.values() if mark is not None}

    @property
    def has_adopted(self) -> bool:
        """Whether the last walk left adopted children alive."""
        return bool(self._adopted)

    def walk(self, marks: frozenset[int], sightings: dict[int, Sighting]) -> Iterator[None]:
        """Kill whatever is alive of `marks`, noting it in `sightings`, and reap adopted zombies.

        Yields after each process, so that the caller can do other things in between.
        """
        present = procfs.children(self._pid)
        for gone in self._adopted.keys() - set(present):
            del self._adopted[gone]
        for pid in present:
            mark = self._leaders.get(pid) or self._mark_of_adopted(pid)
            if mark in marks:
                yield from self._kill_tree(pid, sightings.setdefault(mark, Sighting()))
            yield

    def walk_adopted(self, sighting: Sighting) -> Iterator[None]:
        """Kill every adopted child with all that stands below it, and reap the zombies among them."""
        for pid in procfs.children(self._pid):
            if pid not in self._leaders:
                self._mark_of_adopted(pid)
                yield from self._kill_tree(pid, sighting)

    def _mark_of_adopted(self, pid: int) -> int:
        alive, _ = procfs.alive_and_parent(pid)
        if not alive:
            self._adopted.pop(pid, None)
            _reap(pid)
            return 0
        if pid not in self._adopted:
            self._adopted[pid] = procfs.mark(pid)
        return self._adopted[pid] or 0

    def _kill_tree(self, root: int, sighting: Sighting) -> Iterator[None]:
        # Parents before children: what is forked in between is adopted by this process and met in the next walk.
        waiting = [(root, self._pid)]
        while waiting:
            pid, parent = waiting.pop()
            below = procfs.children(pid)
            self._kill(pid, parent, sighting)
            waiting += [(child, pid) for child in below]
            yield

    def _kill(self, pid: int, parent: int, sighting: Sighting) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            # The pidfd is fixed on one process; only now is it certain that this is still the one that was meant.
            alive, parent_now = procfs.alive_and_parent(pid)
            if not alive or parent_now not in (parent, self._pid):
                return
            sighting.alive.append(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except PermissionError:
            sighting.reason = "may not be signalled: it runs as another user"
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # it was reaped by whoever had spawned it
