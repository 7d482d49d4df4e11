"""Schedules reads of clients that have sent more than one event-loop iteration may handle."""

import asyncio
from collections.abc import Callable

from ...domain.ports.clock import Clock

BUDGET_SECONDS = 0.002
"""How long the callbacks of one iteration may take together; a callback that has begun is finished."""
PAUSE_FACTOR = 3.0
"""Bulk callbacks that took longer are followed by a pause of so many times their duration, for all other work."""
MAX_PAUSE_SECONDS = 0.25

Turn = Callable[[], None]


class ReadScheduler:
    """A round-robin of callbacks with a time limit for each iteration, so that reads do not starve other work.

    Clients with small buffers come first, within BUDGET_SECONDS per iteration, so that none waits for megabytes of
    other clients. Bulk follows in turn, at least one callback per iteration, unless the last ones took too long.
    """

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic_seconds
        # Ordered sets.
        self._small: dict[Turn, None] = {}
        self._bulk: dict[Turn, None] = {}
        self._handle: asyncio.Handle | None = None
        self._pause_until = 0.0

    def wait(self, callback: Turn, *, bulk: bool) -> None:
        """Call `callback` once, in a later iteration."""
        (self._bulk if bulk else self._small)[callback] = None
        if self._handle is None or (isinstance(self._handle, asyncio.TimerHandle) and not bulk):
            self._plan()

    def forget(self, callback: Turn) -> None:
        """Remove `callback`, if it is scheduled."""
        self._small.pop(callback, None)
        self._bulk.pop(callback, None)

    def _plan(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        loop = asyncio.get_running_loop()
        pause = self._pause_until - self._now()
        if self._small or (self._bulk and pause <= 0):
            self._handle = loop.call_soon(self._run)
        elif self._bulk:
            self._handle = loop.call_later(pause, self._run)

    def _run(self) -> None:
        self._handle = None
        begin = self._now()
        self._serve(self._small, begin)
        if self._pause_until <= begin:
            spent = self._serve(self._bulk, begin)
            if spent > BUDGET_SECONDS:
                self._pause_until = begin + spent + min(PAUSE_FACTOR * spent, MAX_PAUSE_SECONDS)
        self._plan()

    def _serve(self, callbacks: dict[Turn, None], begin: float) -> float:
        spent = 0.0
        # Callbacks that are added in the meantime are called in the next iteration.
        for _ in range(len(callbacks)):
            callback = next(iter(callbacks), None)
            if callback is None:
                break
            del callbacks[callback]
            callback()
            spent = self._now() - begin
            if spent > BUDGET_SECONDS:
                break
        return spent
