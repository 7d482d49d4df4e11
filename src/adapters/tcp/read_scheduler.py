"""Whose turn it is to be read among clients that send more than one iteration of the event loop is to be spent on."""

import asyncio
from collections.abc import Callable

from ...domain.ports.clock import Clock

BUDGET_SECONDS = 0.002
"""What all turns of one iteration may take together; one that has begun is finished."""
PAUSE_FACTOR = 3.0
"""After bulk turns that took longer, so many times as long is everybody else's, and for the tasks that came of them."""
MAX_PAUSE_SECONDS = 0.25

Turn = Callable[[], None]


class ReadScheduler:
    """Calls back in turn, few in each iteration: what all clients together may cost the others is bounded in time.

    Clients with little at hand come first, all within BUDGET_SECONDS an iteration, so that none waits behind megabytes
    of others. Bulk follows, each client in its turn, at least one an iteration unless the last ones took too long.
    """

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic_seconds
        # Ordered sets.
        self._small: dict[Turn, None] = {}
        self._bulk: dict[Turn, None] = {}
        self._handle: asyncio.Handle | None = None
        self._pause_until = 0.0

    def wait(self, turn: Turn, *, bulk: bool) -> None:
        """Call `turn` once, in a later iteration."""
        (self._bulk if bulk else self._small)[turn] = None
        if self._handle is None or (isinstance(self._handle, asyncio.TimerHandle) and not bulk):
            self._plan()

    def forget(self, turn: Turn) -> None:
        """Do not call `turn` any more."""
        self._small.pop(turn, None)
        self._bulk.pop(turn, None)

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

    def _serve(self, turns: dict[Turn, None], begin: float) -> float:
        spent = 0.0
        # Those who have a turn now and want another one have that in the next iteration.
        for _ in range(len(turns)):
            turn = next(iter(turns), None)
            if turn is None:
                break
            del turns[turn]
            turn()
            spent = self._now() - begin
            if spent > BUDGET_SECONDS:
                break
        return spent
