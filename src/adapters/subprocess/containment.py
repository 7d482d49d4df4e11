"""Kills all processes of a task: scans the worker's descendants until all of them have been seen dead.

The marks of a process (`marks.py`) identify its task. Every process inherits them, through setsid, double forks, closed
descriptors and an emptied environment. One series of scans serves all tasks that are being killed, in slices of time.
Tasks are assumed to be careless, not hostile: a process that changes its marks is not found.
"""

import asyncio
import contextlib

import structlog

from ..linux.survivors import CLEAN_SCANS, Survivors
from ..linux.timer_slack import TimerSlack
from .adopted_reaper import AdoptedReaper
from .kill import Kill
from .retry import retry_until_done, start_background
from .slices import Slices
from .task_marks import TaskMarks
from .throttle import Throttle
from .wakeup import wake

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

RESULT_AFTER_SECONDS = 2.0
"""After which the result of a task is sent even if its processes cannot be killed."""
UPDATES_PER_ITERATION = 16
"""Tasks whose state is updated after a scan: a thousand in one event-loop iteration would block it."""
FIRST_PAUSE_SECONDS = 0.0005
LAST_PAUSE_SECONDS = 0.05
PAUSE_FACTOR = 3
"""The pause after a scan is this many times as long as the scan, LAST_PAUSE_SECONDS at most."""
STUBBORN_PAUSE_SECONDS = 0.5
"""Between scans when the results of all tasks that they look for have been sent."""
KILLS_PER_ITERATION = 8
"""Tasks; killing a thousand in one iteration blocked the event loop for a tenth of a second."""


class Containment:
    """Kills tasks by their marks, and reaps adopted processes."""

    def __init__(self, slack: TimerSlack | None = None) -> None:
        """`slack` is where tasks have a second mark; None if they have only one."""
        self._throttle = Throttle(KILLS_PER_ITERATION)
        self._slices = Slices()
        self._loop = asyncio.get_running_loop()
        self._marks = TaskMarks(self._slices, slack)
        self._tree = self._marks.tree
        self.new_mark = self._marks.new
        self._kills: dict[int, Kill] = {}
        self._killing: asyncio.Task[None] | None = None
        self._reaper = AdoptedReaper(self._tree, self._slices, lambda: self._wake(False))  # noqa: FBT003 -- as below
        # Set during a pause between scans; its result says whether another task has to be killed.
        self._wakeup: asyncio.Future[bool] | None = None

    def track(self, pid: int, mark: int) -> None:
        """Register a child with that mark. Its owner reaps it and then calls `untrack`."""
        tree = self._tree
        # As ProcessTree.add, without its call for each task.
        tree.leaders[pid] = mark
        if pid in tree.adopted.marks_by_pid:
            tree.adopted.forget(pid)
        if self._reaper.timer is None:
            self._reaper.start()

    def untrack(self, pid: int) -> None:
        """Unregister a child that was reaped; its adopted descendants are reaped about a second after they end."""
        if pid in self._tree.leaders:
            del self._tree.leaders[pid]
        if self._reaper.timer is None:
            self._reaper.start()

    def expect_adopted(self) -> None:
        """Reap untracked children and adopted processes within about a second of their exit."""
        self._reaper.start()

    def disown(self, pid: int) -> None:
        """Take over the reaping of a child, tracked or not."""
        self._tree.disown(pid)

    def group(self, group: int, mark: int, *, kill: bool) -> Survivors:
        """Return the living members of a group whose leader has ended; kill them if `kill` is set."""
        with self._slices.spare_descriptors:
            return self._tree.group(group, mark, kill=kill)

    async def kill_slot(self) -> None:
        """Wait until another kill may begin: thousands of dying processes take the processors away from the worker."""
        await self._throttle.wait()

    def scan_before_kill(self, pid: int, mark: int) -> None:
        """Record the descendants of a leader that is about to be killed, if tasks can lose their marks."""
        if not self._marks.resettable:
            return
        with self._slices.spare_descriptors, contextlib.suppress(OSError, MemoryError):
            self._tree.expect(pid, mark)

    async def kill(self, mark: int) -> bool:
        """Kill every process of a task; return True when all have been seen dead, False if that takes over 2 s.

        In the second case the pids and the reason are logged, and the scans continue.
        """
        kill = self._kills.get(mark)
        if kill is None:
            kill = self._kills[mark] = Kill(self._loop.time() + RESULT_AFTER_SECONDS)
            self._wake(True)  # noqa: FBT003 -- as below
        if self._killing is None or self._killing.done():
            # Also if an earlier attempt to start it has failed.
            self._killing = start_background(retry_until_done(self._kill_all, self._on_failure, LAST_PAUSE_SECONDS))
        return await kill.wait()

    async def kill_orphans(self) -> None:
        """Kill all adopted processes, including those without the mark of a task."""
        await self._scan(frozenset(), {})
        await asyncio.gather(*(self.kill(mark) for mark in self._tree.adopted_marks))

    async def close(self) -> None:
        """Stop scanning."""
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
                # The scan has not looked for tasks that were added meanwhile.
                pause = FIRST_PAUSE_SECONDS
                continue
            awaited = [mark for mark, kill in self._kills.items() if kill.gone is None]
            if awaited and not any(
                mark in survivors_by_mark and survivors_by_mark[mark].found_alive for mark in awaited
            ):
                # No process needs time to die: the next scan only confirms this one.
                await asyncio.sleep(0)
                continue
            if await self._pause(pause if awaited else STUBBORN_PAUSE_SECONDS):
                pause = FIRST_PAUSE_SECONDS
            else:
                pause = min(pause * 2, LAST_PAUSE_SECONDS)
                # A child has ended. When many end one after another, one scan has to serve several of them.
                remaining = ended + min((ended - began) * PAUSE_FACTOR, LAST_PAUSE_SECONDS) - self._loop.time()
                if remaining > 0:
                    await asyncio.sleep(remaining)

    def _on_failure(self, error: Exception) -> None:
        for mark in tuple(self._kills):
            # Processes that were not looked at may be alive.
            self._update(mark, Survivors(inconclusive=True, reason=f"cannot look for it: {error!r}"))

    async def _pause(self, seconds: float) -> bool:
        """Pause until a child ends, `seconds` at most; return True if another task has to be killed before that."""
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
                wake(self._wakeup, new)  # no other timer may be set

    def _update(self, mark: int, survivors: Survivors | None) -> None:
        kill = self._kills[mark]
        if survivors is not None and not survivors.clean:
            kill.clean = 0
            if self._loop.time() >= kill.deadline and kill.gone is None:
                _log.warning(
                    "a task could not be killed; trying again", pids=survivors.found_alive, reason=survivors.reason
                )
                kill.finish(gone=False)
            return
        kill.clean += 1
        if kill.clean >= CLEAN_SCANS:
            if kill.gone is None:
                kill.finish(gone=True)
            del self._kills[mark]
            self._tree.forget_mark(mark)

    async def _scan(self, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> None:
        await self._slices.run(self._tree.scan(marks, survivors_by_mark))
