"""Bursts spread over turns of the event loop, so that everything else gets its turn in between."""

import asyncio
from collections import deque

from .wakeup import wake


class Throttle:
    """Lets so many callers go on before the loop looks after everything else; the rest follow in order of arrival.

    Turns are counted only where it comes to that: one caller after the other does not pay for it.
    """

    def __init__(self, per_iteration: int) -> None:
        """Let `per_iteration` callers go on in one event-loop iteration."""
        self._per_iteration = per_iteration
        # How many may still go on before the loop has to have an iteration.
        self._left = per_iteration
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Return in this turn, or in one of the next."""
        if self._left:
            self._take()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _take(self) -> None:
        self._left -= 1
        if not self._left:
            try:
                asyncio.get_running_loop().call_soon(self._turn)
            except MemoryError:
                # Rather without an iteration in between than never again.
                self._left = self._per_iteration

    def _turn(self) -> None:
        self._left = self._per_iteration
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                wake(turn, None)
                self._take()
