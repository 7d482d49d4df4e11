"""Children that this process has adopted, as a child subreaper: whose they are, and their reaping."""

import contextlib
import os
from collections.abc import Callable, Collection

from . import procfs

MAX_EXPECTED = 256
"""What su(1) and the like have started is among the first; a task of thousands is not to hold the loop up."""


class Adopted:
    """The adopted children that the last walk left, with the marks that they had when they were first seen."""

    def __init__(self, leaders: dict[int, int], identify: Callable[[int], int | None]) -> None:
        """`leaders` are the marks of all other children, by pid, as they come and go.

        `identify` takes a pid and returns the mark, STRAY for none of this worker, None where that cannot be known.
        """
        self._leaders = leaders
        self._identify = identify
        # None where the mark cannot be known. Only read from outside.
        self.marks_by_pid: dict[int, int | None] = {}
        # The marks of the tasks that lived when such a child was first seen: it may be of any of them.
        self._candidates: dict[int, frozenset[int]] = {}
        # By mark: the processes that stood below a leader when it was killed, and when they were started.
        self._expected: dict[int, dict[int, int]] = {}

    def expect(self, mark: int, leader: int, children: Callable[[int], list[int]]) -> None:
        """Take what stands below a leader now for its task, once it is adopted, whatever it bears; until `drop`."""
        started: dict[int, int] = {}
        waiting = [leader]
        while waiting and len(started) < MAX_EXPECTED:
            for pid in children(waiting.pop()):
                moment = procfs.started_at(pid)
                if moment is not None:
                    started[pid] = moment
                    waiting.append(pid)
        self._expected[mark] = started

    def drop(self, mark: int) -> None:
        """Expect nobody of this mark any more."""
        self._expected.pop(mark, None)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.marks_by_pid)

    @property
    def marks(self) -> set[int]:
        """The marks of the tasks to which they belong, as far as that is known."""
        return {mark for mark in self.marks_by_pid.values() if mark}

    def take(self, pid: int, mark: int | None) -> None:
        """Add a child whose reaping is up to us from now on."""
        self.marks_by_pid[pid] = mark

    def forget(self, pid: int) -> None:
        """Drop one that is somebody else's to reap, or gone."""
        self.marks_by_pid.pop(pid, None)
        self._candidates.pop(pid, None)

    def keep_only(self, present: Collection[int]) -> None:
        """Drop those that are gone; `present` are all children that there are."""
        for gone in self.marks_by_pid.keys() - set(present):
            self.forget(gone)

    def scan(self, pid: int) -> tuple[int | None, bool] | None:
        """Return the mark of an adopted child, None if it cannot be known, and whether it had died and is reaped now.

        None as a whole: it is no child, but a leader that was reaped a moment ago, or whoever has its pid by now.
        """
        try:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return None
        if self.marks_by_pid.get(pid) in (None, procfs.STRAY):
            # A zombie still has its limits.
            self.marks_by_pid[pid] = self._mark(pid)
        mark = self.marks_by_pid[pid]
        if ended:
            self.forget(pid)
            _reap(pid)
        return mark, ended

    def candidates(self, pid: int, ending: frozenset[int]) -> frozenset[int]:
        """Return the tasks, running or `ending`, that lived when a child of unknown mark was first seen."""
        return self._candidates.setdefault(pid, ending.union(self._leaders.values()))

    def _mark(self, pid: int) -> int | None:
        mark = self._identify(pid)
        if mark is not None and mark != procfs.STRAY:
            return mark
        # The session of a leader that has not been reaped has no other members than its descendants.
        with contextlib.suppress(ProcessLookupError):
            mark = self._leaders.get(os.getsid(pid), mark)
        for expected, pids in self._expected.items():
            if pid in pids and pids[pid] == procfs.started_at(pid):
                return expected
        return mark


def any_mark(pid: int) -> int | None:
    """Take every mark for one of this worker."""
    mark = procfs.mark(pid)
    return procfs.STRAY if mark == procfs.NO_MARK else mark


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # it was reaped by whoever had spawned it
