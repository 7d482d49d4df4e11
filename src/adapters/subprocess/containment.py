"""Nothing of a task survives its end: sweeps over the agent's descendants until they have been seen dead.

A task is told by its marks (`marks.py`), which every process inherits, through setsid, double forks, closed descriptors
and an emptied environment. One sweep serves all tasks that are ending, in slices of time. Tasks are taken for careless,
not hostile: one that changes its marks is not found.
"""

import asyncio
import contextlib

import structlog

from ..linux.survivors import CLEAN_SCANS, Survivors
from ..linux.timer_slack import TimerSlack
from .adopted_reaper import AdoptedReaper
from .kill import Kill
from .retry import retry_until_done, start_task
from .slices import Slices
from .task_marks import TaskMarks
from .throttle import Throttle
from .wakeup import wake

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

RESULT_AFTER_SECONDS = 2.0
"""After which a task whose processes cannot be killed is answered all the same."""
UPDATES_PER_ITERATION = 16
"""Of tasks that end at the same moment: clearing up after a thousand in one event-loop iteration would block it."""
FIRST_PAUSE_SECONDS = 0.0005
LAST_PAUSE_SECONDS = 0.05
PAUSE_FACTOR = 3
"""Times as long as a walk took nothing is walked after it."""
STUBBORN_PAUSE_SECONDS = 0.5
"""Between walks while nobody waits any more for what they look for."""
KILLS_PER_ITERATION = 8
"""Tasks; with all of a thousand in one iteration, the loop stood still for a tenth of a second."""


class Containment:
    """Ends tasks by their marks, and tidies up what is adopted."""

    def __init__(self, slack: TimerSlack | None = None) -> None:
        """Tasks have a second mark in `slack`, if there is one."""
        self._throttle = Throttle(KILLS_PER_ITERATION)
        self._slices = Slices()
        self._loop = asyncio.get_running_loop()
        self._marks = TaskMarks(self._slices, slack)
        self._tree = self._marks.tree
        self.new_mark = self._marks.new
        self._kills: dict[int, Kill] = {}
        self._killing: asyncio.Task[None] | None = None
        self._reaper = AdoptedReaper(self._tree, self._slices, lambda: self._wake(False))  # noqa: FBT003 -- as below
        # Set while a sweep pauses; its result says whether something new has to end.
        self._wakeup: asyncio.Future[bool] | None = None

    def track(self, pid: int, mark: int) -> None:
        """Take note of a child of that mark that its owner will reap, and say so by `released`."""
        self._tree.add(pid, mark)
        if self._reaper.timer is None:
            self._reaper.start()

    def untrack(self, pid: int) -> None:
        """Forget a child that was reaped; whatever it left behind is tidied up within about a second of its end."""
        self._tree.remove(pid)
        if self._reaper.timer is None:
            self._reaper.start()

    def expect_orphans(self) -> None:
        """Tidy up within about a second what nobody has enrolled, and what comes of that."""
        self._reaper.start()

    def disown(self, pid: int) -> None:
        """Take over the reaping of an enrolled child."""
        self._tree.disown(pid)

    def group(self, group: int, mark: int, *, kill: bool) -> Survivors:
        """Return who is alive of a group whose leader has ended; kill them where that is wanted."""
        with self._slices.spare_descriptors:
            return self._tree.group(group, mark, kill=kill)

    async def kill_slot(self) -> None:
        """Wait for the turn to kill: thousands that die in one moment take the processors away from whoever kills."""
        await self._throttle.wait()

    def scan_before_kill(self, pid: int, mark: int) -> None:
        """Look what stands below a leader that is about to be killed, where it may bear no mark any more afterwards."""
        if not self._marks.resettable:
            return
        with self._slices.spare_descriptors, contextlib.suppress(OSError, MemoryError):
            self._tree.expect(pid, mark)

    async def kill(self, mark: int) -> bool:
        """Kill every process of a task; return True when all have been seen dead, False if that takes over 2 s.

        In that case it is logged, with pid and reason, and swept on.
        """
        ending = self._kills.get(mark)
        if ending is None:
            ending = self._kills[mark] = Kill(self._loop.time() + RESULT_AFTER_SECONDS)
            self._wake(True)  # noqa: FBT003 -- as below
        if self._killing is None or self._killing.done():
            # Also where another attempt to begin one has failed.
            self._killing = start_task(retry_until_done(self._kill_all, self._on_failure, LAST_PAUSE_SECONDS))
        return await ending.wait()

    async def kill_orphans(self) -> None:
        """End everything that has been adopted, also what bears no mark of a task."""
        await self._scan(frozenset(), {})
        await asyncio.gather(*(self.kill(mark) for mark in self._tree.adopted_marks))

    async def close(self) -> None:
        """Sweep no more."""
        self._reaper.close()
        if self._killing is not None:
            self._killing.cancel()
            await asyncio.wait({self._killing})
        self._marks.close()
        self._slices.close()

    async def _kill_all(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._kills:
            marks = frozenset(self._kills)
            survivors_by_mark: dict[int, Survivors] = {}
            self._reaper.expect_exit()
            began = self._loop.time()
            await self._scan(marks, survivors_by_mark)
            ended = self._loop.time()
            for number, mark in enumerate(marks, start=1):
                self._update(mark, survivors_by_mark.get(mark))
                if number % UPDATES_PER_ITERATION == 0:
                    await asyncio.sleep(0)
            if not self._kills.keys() <= marks:
                # What came during the walk is not looked for yet.
                pause = FIRST_PAUSE_SECONDS
                continue
            awaited = [mark for mark, ending in self._kills.items() if ending.gone is None]
            if awaited and not any(mark in survivors_by_mark and survivors_by_mark[mark].alive for mark in awaited):
                # Nothing has to be given time to die: the next walk is only to make sure.
                await asyncio.sleep(0)
                continue
            if await self._pause(pause if awaited else STUBBORN_PAUSE_SECONDS):
                pause = FIRST_PAUSE_SECONDS
            else:
                pause = min(pause * 2, LAST_PAUSE_SECONDS)
                # Something has died; of many that die one after the other, each is no reason for a walk of its own.
                rest = ended + min((ended - began) * PAUSE_FACTOR, LAST_PAUSE_SECONDS) - self._loop.time()
                if rest > 0:
                    await asyncio.sleep(rest)

    def _on_failure(self, error: Exception) -> None:
        for mark in tuple(self._kills):
            # What was not looked at is not gone.
            self._update(mark, Survivors(reaped_any=True, reason=f"cannot look for it: {error!r}"))

    async def _pause(self, seconds: float) -> bool:
        """Pause until a child ends, `seconds` at most, and return whether something new has to end before that."""
        if not self._kills:
            return False
        self._wakeup = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake, False)  # noqa: FBT003
        new = await self._wakeup
        timer.cancel()
        return new

    def _wake(self, new: bool) -> None:  # noqa: FBT001 -- a callback takes its arguments by position
        if self._wakeup is not None:
            try:
                wake(self._wakeup, new)
            except MemoryError:
                wake(self._wakeup, new)  # there may be no other timer

    def _update(self, mark: int, survivors: Survivors | None) -> None:
        ending = self._kills[mark]
        if survivors is not None and not survivors.clean:
            ending.clean = 0
            if self._loop.time() >= ending.deadline and ending.gone is None:
                _log.warning("a task could not be killed; trying again", pids=survivors.alive, reason=survivors.reason)
                ending.finish(gone=False)
            return
        ending.clean += 1
        if ending.clean >= CLEAN_SCANS:
            if ending.gone is None:
                ending.finish(gone=True)
            del self._kills[mark]
            self._tree.forget_mark(mark)

    async def _scan(self, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> None:
        await self._slices.run(self._tree.scan(marks, survivors_by_mark))
