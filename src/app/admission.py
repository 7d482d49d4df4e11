"""How many tasks run at once and how many may wait: a decorator around a TaskRunner, so that waiting is not stamped."""

import asyncio
from collections import OrderedDict

from ..domain.ports import TaskRunner
from ..domain.task import TaskRequest, TaskResult


class Admission:
    """A TaskIntake that runs at most `max_running` at once and queues up to `max_queued` in order of arrival.

    Past that it has no room, which asks callers to stop bringing more; what they bring all the same still queues, so
    that nothing that was accepted is ever dropped.
    """

    def __init__(self, runner: TaskRunner, max_running: int, max_queued: int) -> None:
        """Wrap `runner`; both limits count tasks, `max_running` at least 1."""
        self._runner = runner
        self._max_queued = max_queued
        self._free = max_running
        # Whose turn comes next. A slot is handed over with its Future's result, and never becomes free in between:
        # a newcomer cannot overtake.
        self._queue: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._watchers: list[asyncio.Future[None]] = []

    @property
    def has_room(self) -> bool:
        """Whether a further request would run at once or be queued within the bound."""
        return self._free > 0 or len(self._queue) < self._max_queued

    async def room(self) -> None:
        """Return once there is room; whoever is told first may have taken it, so look again."""
        if not self.has_room:
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    async def run(self, request: TaskRequest) -> TaskResult:
        """Wait for a slot, run, and pass the slot on when the process has ended."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._turn()
        try:
            return await self._runner.run(request)
        finally:
            self._pass_on()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._queue:
                del self._queue[turn]
                self._tell_watchers()
            else:
                # The slot had been handed over before the cancellation arrived.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        if self._queue:
            turn, _ = self._queue.popitem(last=False)
            turn.set_result(None)
        else:
            self._free += 1
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        if self._watchers and self.has_room:
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                if not watcher.done():
                    watcher.set_result(None)
