"""How many tasks run at once and how many may wait: a decorator around a TaskRunner, so that waiting is not stamped."""

import asyncio
import contextlib
from collections import deque

from ..domain.control import TaskControl
from ..domain.ports import TaskRunner
from ..domain.task import TaskRequest, TaskResult

ARGUMENT_BYTES = 64
"""What Python needs for a string besides its characters: a command of many short words takes far more than its line."""


class Admission:
    """A TaskIntake that runs at most `max_running` at once and queues up to `max_queued` in order of arrival.

    Past that, or when the commands that it holds take more than `max_bytes` of memory, it has no room, which asks
    callers to stop bringing more; what they bring all the same still queues, so that nothing that was accepted is ever
    dropped.
    """

    def __init__(self, runner: TaskRunner, max_running: int, max_queued: int, max_bytes: int) -> None:
        """Wrap `runner`; the first two limits count tasks, `max_running` at least 1."""
        self._runner = runner
        self._max_queued = max_queued
        self._free = max_running
        self._free_bytes = max_bytes
        # Whose turn comes next. A slot is handed over with its Future's result, and never becomes free in between:
        # a newcomer cannot overtake. Who was cancelled or stopped is passed over.
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._queued = 0
        # Who waits for room, in order of arrival: while there are such, nobody else has room.
        self._watchers: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether a further request would run at once or be queued within the bounds, and nobody waits to bring one."""
        return not self._watchers and self._places > 0

    @property
    def _places(self) -> int:
        return self._free + self._max_queued - self._queued if self._free_bytes > 0 else 0

    async def room(self) -> None:
        """Return when it is the caller's turn to bring one request."""
        if self.has_room:
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append(watcher)
        try:
            await watcher
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it has been told in the meantime
                self._watchers.remove(watcher)
            raise

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Wait for a slot, run, and pass the slot on when the process has ended.

        A task that is stopped while it waits goes on at once without one: nothing is started for it any more.
        """
        has_slot = True
        request_bytes = sum(map(len, request.command)) + ARGUMENT_BYTES * len(request.command)
        self._free_bytes -= request_bytes
        try:
            if self._free > 0:
                self._free -= 1
            else:
                has_slot = await self._turn(control or TaskControl())
            try:
                return await self._runner.run(request, control)
            finally:
                if has_slot:
                    self._pass_on()
        finally:
            self._free_bytes += request_bytes
            if self._watchers:
                self._tell_watchers()

    async def _turn(self, control: TaskControl) -> bool:
        """Wait for a slot; return whether there is one, or else the task has been stopped."""
        if control.verdict is not None:
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._queued += 1

        def leave(_: float) -> None:
            if not turn.done():
                self._queued -= 1
                turn.set_result(False)

        control.on_stop = leave
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._queued -= 1
            else:
                # The slot had been handed over before the cancellation arrived.
                self._pass_on()
            raise
        finally:
            control.on_stop = None

    def _pass_on(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                self._queued -= 1
                turn.set_result(True)
                return
        self._free += 1

    def _tell_watchers(self) -> None:
        told = 0
        while self._watchers and told < self._places:
            watcher = self._watchers.popleft()
            if not watcher.done():
                watcher.set_result(None)
                told += 1
        if told and self._watchers:
            # Whoever was told may have nothing to bring any more.
            asyncio.get_running_loop().call_soon(self._tell_watchers)
