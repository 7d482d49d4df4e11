"""How many tasks run, start at once and wait: a decorator around a TaskRunner, so that waiting is not stamped.

Starting a process holds the loop up until the new program is there, and on a busy machine for milliseconds. A burst of
a thousand starts in one iteration would keep every other client waiting for seconds.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from ...domain.control import TaskControl
from ...domain.ports.intake import TaskRunner
from ...domain.task import TaskRequest, TaskResult
from .fair_queue import FairQueue, Place

STARTS_PER_ITERATION = 4
STARTS_IN_A_FLOOD = 1
"""The same while somebody has several tasks waiting: whatever starts together makes others wait in proportion."""


class Admission:
    """A TaskIntake that runs at most `max_running` at once and queues up to `max_queued`, clients taking turns.

    At most STARTS_PER_ITERATION tasks begin before the event loop looks after everything else. Past the bounds it has
    no room, which asks callers to stop bringing more; what they bring all the same still queues, so that nothing that
    was accepted is ever dropped.
    """

    def __init__(
        self, runner: TaskRunner, max_running: int, max_queued: int, on_full: Callable[[], object] | None = None
    ) -> None:
        """Wrap `runner`; the limits count tasks, `max_running` at least 1. `on_full` is called when a caller waits."""
        self._on_full = on_full
        self._runner = runner
        self._max_queued = max_queued
        self._free = max_running
        # How many may still start before the loop has to have an iteration. That is planned when there is none left:
        # one task after the other does not pay for it.
        self._starts = STARTS_PER_ITERATION
        # A slot is handed over with the place's result: while somebody waits, a new task cannot overtake.
        self._queue = FairQueue()
        # Who waits for room, in order of arrival: while there are such, nobody else has room.
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def has_capacity(self) -> bool:
        """Whether another request would run at once or be queued within the bounds, and nobody waits to bring one."""
        return not self._waiters and self._free + self._max_queued > self._queue.size

    @property
    def waiting(self) -> int:
        """How many tasks wait for a slot, or for their turn to start."""
        return self._queue.size

    async def wait_for_capacity(self) -> None:
        """Return when it is the caller's turn to bring one request."""
        if self.has_capacity:
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(watcher)
        if self._on_full is not None:
            self._on_full()
        try:
            await watcher
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it has been told in the meantime
                self._waiters.remove(watcher)
            raise

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Wait for a slot, run, and pass the slot on when the process has ended.

        A task that is stopped while it waits goes on at once without one: nothing is started for it any more.
        """
        has_slot = False
        try:
            if self._starts and self._free > 0 and not self._queue.size:
                has_slot = True
                self._take_slot()
            else:
                has_slot = await self._wait(control or TaskControl())
            return await self._runner.run(request, control)
        finally:
            if has_slot:
                self._free += 1
                if self._queue.size:
                    self._release_slots()
            if self._waiters:
                self._notify_waiters()

    async def _wait(self, control: TaskControl) -> bool:
        """Wait for a slot; return whether there is one, or else the task has been stopped."""
        if control.verdict is not None:
            return False
        place: Place = asyncio.get_running_loop().create_future()
        self._queue.append(control.client, place)

        def leave(_: float) -> None:
            if not place.done():
                self._queue.remove(control.client, place)
                place.set_result(False)

        control.on_stop = leave
        try:
            return await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._queue.remove(control.client, place)
            elif place.result():
                # The slot had been handed over before the cancellation arrived.
                self._free += 1
                self._release_slots()
            raise
        finally:
            control.on_stop = None

    def _take_slot(self) -> None:
        self._free -= 1
        self._starts -= 1
        if not self._starts:
            asyncio.get_running_loop().call_soon(self._start_more)

    def _start_more(self) -> None:
        self._starts = STARTS_PER_ITERATION
        if self._queue.size:
            if self._queue.size > self._queue.clients:
                self._starts = STARTS_IN_A_FLOOD
            self._release_slots()

    def _release_slots(self) -> None:
        while self._free > 0 and self._starts and self._queue.size:
            place = self._queue.pop()
            if not place.done():
                place.set_result(True)
                self._take_slot()

    def _notify_waiters(self) -> None:
        told = 0
        places = self._free + self._max_queued - self._queue.size
        while self._waiters and told < places:
            watcher = self._waiters.popleft()
            if not watcher.done():
                watcher.set_result(None)
                told += 1
        if told and self._waiters:
            # Whoever was told may have nothing to bring any more.
            asyncio.get_running_loop().call_soon(self._notify_waiters)
