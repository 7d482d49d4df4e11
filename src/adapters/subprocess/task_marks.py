"""Assigns marks to tasks, and identifies the task of a process by its marks."""

import asyncio
import os
from collections.abc import Callable

import structlog

from ..linux import procfs
from ..linux.marks import Marks, own_range_start, range_start
from ..linux.process_tree import ProcessTree
from ..linux.survivors import CLEAN_SCANS
from ..linux.timer_slack import SECOND_MARKS, TimerSlack
from .slices import Slices

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class TaskMarks:
    """The marks of one worker's tasks, the second ones included where `slack` is not None."""

    def __init__(self, slices: Slices, slack: TimerSlack | None) -> None:
        """Use the range of marks that this process itself is marked with."""
        self._range = own_range_start()
        self._slack = slack
        self._slices = slices
        self._marks = Marks(self._range, self._recount)
        self._counting: asyncio.Task[None] | None = None
        self.new: Callable[[], int] = self._marks.new
        """See Marks.new."""
        self.tree = ProcessTree(self.whose)
        # PAM resets marks when it changes the user, and only root can kill processes of other users.
        self.resettable = slack is None and os.geteuid() == 0
        """Whether tasks may have processes that have lost their marks and that this process is allowed to kill."""

    def whose(self, pid: int) -> int | None:
        """Return the mark of a process's task; STRAY if it belongs to no task of this worker, None if unknown."""
        mark = procfs.mark(pid)
        if mark and mark != self._range and range_start(mark) == self._range:
            return mark
        second_mark = self._slack.second_mark(pid) if self._slack is not None else 0
        owner = self._marks.owner(second_mark) if second_mark else None
        return owner or (None if mark is None else procfs.STRAY)

    def close(self) -> None:
        """Cancel the recount."""
        if self._counting is not None:
            self._counting.cancel()

    def _recount(self) -> None:
        if self._slack is None:
            self._marks.counted(())
        elif self._counting is None:
            self._counting = asyncio.get_running_loop().create_task(self._count(self._slack))

    async def _count(self, slack: TimerSlack) -> None:
        second_marks = {mark % SECOND_MARKS for mark in self.tree.running_marks}

        def see(pid: int) -> None:
            second_marks.add(slack.second_mark(pid))

        try:
            for _ in range(CLEAN_SCANS):
                await self._slices.run(self.tree.everyone(see))
        except (OSError, MemoryError) as error:
            # Until a recount succeeds, tasks get no second mark; the next task starts another recount.
            _log.warning("cannot look for processes of earlier tasks", reason=repr(error))
        else:
            self._marks.counted(second_marks - {0})
        finally:
            self._counting = None
