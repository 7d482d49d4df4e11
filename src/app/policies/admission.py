"""Limits how many tasks run, start at once and wait: a decorator around a TaskRunner, so that waiting is not measured.

Starting a process blocks the event loop until the new program has been executed, on a busy machine for milliseconds.
A burst of a thousand starts in one iteration would keep every other client waiting for seconds.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from ...domain.control import TaskControl
from ...domain.ports.intake import TaskRunner
from ...domain.task import TaskRequest, TaskResult
from ..scoreboard import RUNNING
from .drain import STOPPING, Drain
from .fair_queue import FairQueue, Place

STARTS_PER_ITERATION = 8
STARTS_IN_A_FLOOD = 1
"""The same while a client has several tasks in the queue: other clients wait in proportion to the starts."""


class Admission:
    """A TaskIntake that runs at most `max_running` tasks at once and queues up to `max_queued`, round-robin by client.

    At most STARTS_PER_ITERATION tasks start in one event-loop iteration. Beyond the limits it has no capacity, so that
    callers stop submitting. Tasks that are submitted all the same are queued: no accepted task is ever dropped.
    """

    _borrows = False
    """Whether slots are borrowed from all workers."""

    def __init__(
        self,
        runner: TaskRunner,
        max_running: int,
        max_queued: int,
        drain: Drain,
        on_full: Callable[[], object] | None = None,
    ) -> None:
        """Wrap `runner`; the limits count tasks, `max_running` at least 1. `on_full` is called when a caller waits."""
        self._drain = drain
        drain.on_begin = self._stop_queued
        # Those of the tasks in the queue.
        self._queued: dict[TaskControl, None] = {}
        self._on_full = on_full
        self._runner = runner
        self._max_queued = max_queued
        # Slots that no task has. SharedAdmission borrows them from all workers, and gives them back.
        self._free = max_running
        # How many more tasks may start in this event-loop iteration. The reset is scheduled only when it reaches 0, so
        # that tasks that run one after the other do not pay for it.
        self._starts = STARTS_PER_ITERATION
        # A slot is passed on by the result of a place: while a task waits, a new task cannot overtake it.
        self._queue = FairQueue()
        # Callers of `wait_for_capacity` in FIFO order: while there are any, there is no capacity for other callers.
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def has_capacity(self) -> bool:
        """Whether another request would run at once or be queued within the limits, and no caller waits to submit."""
        return not self._waiters and self._free + self._max_queued > self._queue.size

    @property
    def waiting(self) -> int:
        """The number of tasks that wait for a slot or for a start."""
        return self._queue.size

    async def wait_for_capacity(self) -> None:
        """Return when the caller may submit one request."""
        if self.has_capacity:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self._on_full is not None:
            self._on_full()
        try:
            await waiter
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it has been notified in the meantime
                self._waiters.remove(waiter)
            raise

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Wait for a slot, run the task, and pass the slot on when it has ended.

        A task that is stopped while it waits continues at once without a slot, since the runner does not start it.
        """
        control = control or TaskControl()
        drain = self._drain
        has_slot = False
        try:
            if drain.begun:
                control.stop(STOPPING)
            elif self._starts and not self._queue.size and (self._free > 0 or self._borrow()):
                has_slot = True
                self._free -= 1
                self._starts -= 1
                if not self._starts:
                    asyncio.get_running_loop().call_soon(self._start_more)
            else:
                has_slot = await self._wait(control)
            if has_slot:
                drain.row[RUNNING] += 1
                if drain.begun:
                    control.stop(STOPPING)
            return await self._runner.run(request, control)
        finally:
            if has_slot:
                self._free += 1
                drain.row[RUNNING] -= 1
                if drain.begun:
                    drain.check_idle()
                if self._queue.size or self._borrows:
                    self._pass_on()
            if self._waiters:
                self._notify_waiters()

    async def _wait(self, control: TaskControl) -> bool:
        """Wait for a slot; return True with a slot, False if the task has been stopped."""
        if control.verdict is not None:
            return False
        place: Place = asyncio.get_running_loop().create_future()
        self._queue.append(control.client, place)
        self._queued[control] = None
        if self._borrows:
            self._on_queued()

        def leave_queue(_: float) -> None:
            if not place.done():
                self._queue.remove(control.client, place)
                place.set_result(False)

        control.on_stop = leave_queue
        try:
            return await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._queue.remove(control.client, place)
            elif place.result():
                # The slot had been passed on to this task before the cancellation was raised.
                self._free += 1
                self._pass_on()
            raise
        finally:
            control.on_stop = None
            del self._queued[control]
            if self._borrows:
                self._on_dequeued()

    def _stop_queued(self) -> None:
        for control in tuple(self._queued):
            control.stop(STOPPING)

    def _borrow(self) -> bool:
        """Make one slot free for a new task, if other workers leave one; an agent of one worker has none."""
        return False

    def _borrow_for_queue(self) -> bool:
        """Make one slot free for a task that waits in the queue."""
        return False

    def _pass_on(self) -> None:
        """Use a slot that has become free."""
        self._release_slots()

    def _on_queued(self) -> None:
        """See to it that the queue gets slots from other workers."""

    def _on_dequeued(self) -> None:
        """Tell other workers that a task has left the queue."""

    def _capacity(self) -> int:
        return self._free + self._max_queued - self._queue.size

    def _start_more(self) -> None:
        self._starts = STARTS_PER_ITERATION
        if self._queue.size:
            if self._queue.size > self._queue.clients:
                self._starts = STARTS_IN_A_FLOOD
            self._release_slots()

    def _release_slots(self) -> None:
        while self._starts and self._queue.size and (self._free > 0 or self._borrow_for_queue()):
            place = self._queue.pop()
            if not place.done():
                place.set_result(True)
                self._free -= 1
                self._starts -= 1
                if not self._starts:
                    asyncio.get_running_loop().call_soon(self._start_more)

    def _notify_waiters(self) -> None:
        notified = 0
        capacity = self._capacity()
        while self._waiters and notified < capacity:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                notified += 1
        if notified and self._waiters:
            # A notified caller may submit nothing; then its capacity is still free.
            asyncio.get_running_loop().call_soon(self._notify_waiters)
