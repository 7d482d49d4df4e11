"""Children that this process has adopted as a child subreaper: finds their marks and reaps them."""

import contextlib
import os
from collections.abc import Callable, Collection

from . import procfs

MAX_EXPECTED = 256
"""Processes started by su(1) and similar are among the first; a task of thousands must not block the event loop."""


class Adopted:
    """The adopted children after the last scan, with the marks that they had when they were first seen."""

    def __init__(self, leaders: dict[int, int], identify: Callable[[int], int | None]) -> None:
        """`leaders` has the marks of all other children by pid; the caller keeps it up to date.

        `identify` takes a pid and returns its mark, STRAY for no mark of this worker, None if it is unknown.
        """
        self._leaders = leaders
        self._identify = identify
        # None where the mark is unknown. Callers only read it.
        self.marks_by_pid: dict[int, int | None] = {}
        # By the pid of a child with unknown mark: the tasks that existed when it was first seen; it may be of any.
        self._candidates: dict[int, frozenset[int]] = {}
        # By mark: the descendants of a leader when it was killed, by pid, with their start times.
        self._expected: dict[int, dict[int, int]] = {}

    def expect(self, leader: int, mark: int, children: Callable[[int], list[int]]) -> None:
        """Assign the present descendants of a leader to its task once adopted, whatever their marks; until `drop`."""
        started: dict[int, int] = {}
        pending = [leader]
        while pending and len(started) < MAX_EXPECTED:
            for pid in children(pending.pop()):
                started_at = procfs.started_at(pid)
                if started_at is not None:
                    started[pid] = started_at
                    pending.append(pid)
        self._expected[mark] = started

    def drop(self, mark: int) -> None:
        """Forget the expected descendants of this mark."""
        self._expected.pop(mark, None)

    def __len__(self) -> int:
        """Return the number of adopted children."""
        return len(self.marks_by_pid)

    @property
    def marks(self) -> set[int]:
        """The known marks of the tasks to which they belong."""
        return {mark for mark in self.marks_by_pid.values() if mark}

    def take(self, pid: int, mark: int | None) -> None:
        """Add a child that is reaped here from now on."""
        self.marks_by_pid[pid] = mark

    def forget(self, pid: int) -> None:
        """Remove a child that is reaped elsewhere, or does not exist any more."""
        self.marks_by_pid.pop(pid, None)
        self._candidates.pop(pid, None)

    def keep_only(self, present: Collection[int]) -> None:
        """Remove children that do not exist any more; `present` are all existing children."""
        for pid in self.marks_by_pid.keys() - set(present):
            self.forget(pid)

    def check(self, pid: int) -> tuple[int | None, bool] | None:
        """Return the mark of an adopted child, None if unknown, and whether it had ended and has been reaped here.

        Returns a plain None if `pid` is no child: a leader reaped in the meantime, or a process that reuses its pid.
        """
        try:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return None
        if self.marks_by_pid.get(pid) in (None, procfs.STRAY):
            # This works for a zombie too, which still has its limits.
            self.marks_by_pid[pid] = self._mark(pid)
        mark = self.marks_by_pid[pid]
        if ended:
            self.forget(pid)
            _reap(pid)
        return mark, ended

    def candidates(self, pid: int, ending: frozenset[int]) -> frozenset[int]:
        """Return the tasks, running or `ending`, that existed when a child with unknown mark was first seen."""
        return self._candidates.setdefault(pid, ending.union(self._leaders.values()))

    def _mark(self, pid: int) -> int | None:
        mark = self._identify(pid)
        if mark is not None and mark != procfs.STRAY:
            return mark
        # The session of a leader that has not been reaped consists of its descendants only.
        with contextlib.suppress(ProcessLookupError):
            mark = self._leaders.get(os.getsid(pid), mark)
        for expected, pids in self._expected.items():
            if pid in pids and pids[pid] == procfs.started_at(pid):
                return expected
        return mark


def any_mark(pid: int) -> int | None:
    """Return the mark of a process as a mark of this worker, whatever its range; STRAY if it has none."""
    mark = procfs.mark(pid)
    return procfs.STRAY if mark == procfs.NO_MARK else mark


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # the code that spawned it has reaped it
