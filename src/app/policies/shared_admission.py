"""Admission whose limits are totals of all workers: its slots are borrowed from a semaphore that they share."""

import asyncio
from collections.abc import Callable

from ...domain.ports.intake import TaskRunner
from ..scoreboard import QUEUED
from ..shared_slots import SharedSlots
from .admission import Admission
from .drain import Drain

YIELD_SECONDS = 0.001
MAX_YIELDS = 5
"""How often, and how long, a worker leaves a free slot to others that wait and have fewer, before it takes one."""
POLL_SECONDS = 0.02
"""Between looks whether other workers have made room in the queue, while callers wait for capacity."""


class SharedAdmission(Admission):
    """An Admission of one worker of several.

    A slot goes back to the semaphore when its task has ended, unless only tasks of this worker wait for one. While
    tasks of other workers wait, new tasks queue up, and workers with fewer slots go first: each worker that waits gets
    slots, however many tasks the others have.
    """

    _borrows = True

    def __init__(
        self,
        runner: TaskRunner,
        shared: SharedSlots,
        max_queued: int,
        drain: Drain,
        on_full: Callable[[], object] | None = None,
    ) -> None:
        """Wrap `runner`; `max_queued` is a total of all workers, too."""
        super().__init__(runner, 0, max_queued, drain, on_full)
        self._shared = shared
        self._others = shared.others
        # How often this worker has left a free slot to others that have fewer.
        self._yields = 0
        # The semaphore is watched, since tasks wait for a slot.
        self._watched = False
        self._poll: asyncio.TimerHandle | None = None

    @property
    def has_capacity(self) -> bool:
        """Whether another request would run at once or be queued within the limits, and no caller waits to submit."""
        if self._waiters:
            return False
        # Most often the queues alone leave room, and no call is needed for each task.
        queued = self._queue.size
        for other in self._others:
            queued += other[QUEUED]
        return queued < self._max_queued or self._shared.capacity(self._max_queued, self._queue.size) > 0

    async def wait_for_capacity(self) -> None:
        """Return when the caller may submit one request."""
        if not self.has_capacity and self._poll is None:
            self._poll = asyncio.get_running_loop().call_later(POLL_SECONDS, self._look_for_capacity)
        await super().wait_for_capacity()

    def _borrow(self) -> bool:
        if not self._shared.take_in_turn():
            return False
        self._free += 1
        return True

    def _borrow_for_queue(self) -> bool:
        if self._yields_now() or not self._shared.take():
            return False
        self._free += 1
        self._yields = 0
        return True

    def _yields_now(self) -> bool:
        return self._yields < MAX_YIELDS and self._shared.others_first()

    def _on_slot_free(self) -> None:
        if self._yields_now():
            self._yields += 1
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._shared.descriptor)
            loop.call_later(YIELD_SECONDS, self._watch_again)
        else:
            self._release_slots()

    def _watch_again(self) -> None:
        if self._watched:
            asyncio.get_running_loop().add_reader(self._shared.descriptor, self._on_slot_free)

    def _pass_on(self) -> None:
        if self._queue.size and not self._shared.others_wait():
            self._release_slots()
        else:
            # As `_give_back`, of the one slot that has become free.
            self._free -= 1
            self._shared.give()

    def _release_slots(self) -> None:
        super()._release_slots()
        if self._free > 0:
            self._give_back()
        self._drain.row[QUEUED] = self._queue.size
        # With no starts left, the next iteration tries again.
        self._watch(watch=self._queue.size > 0 and self._starts > 0)

    def _on_queued(self) -> None:
        self._drain.row[QUEUED] = self._queue.size
        if self._starts:
            self._watch(watch=True)

    def _on_dequeued(self) -> None:
        self._drain.row[QUEUED] = self._queue.size
        if not self._queue.size:
            self._watch(watch=False)

    def _watch(self, *, watch: bool) -> None:
        """Have `_on_slot_free` called while a slot is free, and tell the other workers that tasks wait for one."""
        if watch == self._watched:
            return
        self._watched = watch
        self._shared.set_waiting(waiting=watch)
        loop, descriptor = asyncio.get_running_loop(), self._shared.descriptor
        if watch:
            loop.add_reader(descriptor, self._on_slot_free)
        else:
            loop.remove_reader(descriptor)

    def _give_back(self) -> None:
        while self._free > 0:
            self._free -= 1
            self._shared.give()

    def _capacity(self) -> int:
        return self._shared.capacity(self._max_queued, self._queue.size)

    def _look_for_capacity(self) -> None:
        self._poll = None
        self._notify_waiters()
        if self._waiters:
            self._poll = asyncio.get_running_loop().call_later(POLL_SECONDS, self._look_for_capacity)
