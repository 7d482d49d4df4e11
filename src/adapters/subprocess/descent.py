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
    """What one walk saw of one task: the pids that were alive, and why one of them could not be killed."""

    alive: list[int] = field(default_factory=list[int])
    died: bool = False
    """An adopted process had died since the last walk, perhaps not without having forked."""
    reason: str = "SIGKILL does not end it: it hangs in the kernel, or forks faster than it is found"

    @property
    def clean(self) -> bool:
        """Whether there was nothing that could have got away in the meantime."""
        return not self.alive and not self.died


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
    def has_children(self) -> bool:
        """Whether there are enrolled children, or the last walk left adopted ones alive."""
        return bool(self._leaders or self._adopted)

    def walk(self, marks: frozenset[int], sightings: dict[int, Sighting]) -> Iterator[None]:
        """Kill whatever is alive of `marks`, noting it in `sightings`, and reap adopted zombies.

        Yields after each process, so that the caller can do other things in between. Raises OSError where the system
        has no descriptor or memory left to look with.
        """
        for pid in self._present():
            mark, reaped = self._leaders.get(pid), False
            if mark is None:
                mark, reaped = self._look_at_adopted(pid)
            if mark in marks:
                sighting = sightings.setdefault(mark, Sighting())
                if reaped:
                    sighting.died = True
                else:
                    yield from self._kill_tree(pid, sighting)
            yield

    def walk_adopted(self, sighting: Sighting) -> Iterator[None]:
        """Kill every adopted child with all that stands below it, and reap the zombies among them."""
        for pid in self._present():
            if pid not in self._leaders:
                _, reaped = self._look_at_adopted(pid)
                if reaped:
                    sighting.died = True
                else:
                    yield from self._kill_tree(pid, sighting)
                yield

    def group_lives(self, group: int) -> bool:
        """Return whether a process of a group is alive whose leader has ended: what that had started is adopted."""
        waiting = [pid for pid in procfs.children(self._pid) if pid not in self._leaders]
        while waiting:
            pid = waiting.pop()
            if _group_of(pid) == group and procfs.alive_and_parent(pid)[0]:
                return True
            waiting += procfs.children(pid)
        return False

    def _present(self) -> list[int]:
        # The newest first: of a chain of processes that hand over to each other the last one is the one that lives.
        present = procfs.children(self._pid)[::-1]
        for gone in self._adopted.keys() - set(present):
            del self._adopted[gone]
        return present

    def _look_at_adopted(self, pid: int) -> tuple[int, bool]:
        """Return the mark of an adopted child, 0 for none, and whether it had died and is reaped now."""
        alive, parent = procfs.alive_and_parent(pid)
        if parent != self._pid:
            return 0, False  # a leader that was reaped during this walk, and whoever has its pid by now
        if pid not in self._adopted:
            # A zombie still has its limits.
            self._adopted[pid] = procfs.mark(pid)
        mark = self._adopted[pid] or 0
        if not alive:
            del self._adopted[pid]
            _reap(pid)
        return mark, not alive

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


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # it was reaped by whoever had spawned it
