"""Spreads bursts over several event-loop iterations, so that other callbacks run in between."""

import asyncio
from collections import deque

from .wakeup import wake


class Throttle:
    """Limits how many callers continue in one event-loop iteration; the others follow in order of arrival.

    An iteration is scheduled only when the limit is reached: callers below it cost nothing.
    """

    def __init__(self, per_iteration: int) -> None:
        """Let `per_iteration` callers continue in one event-loop iteration."""
        self._per_iteration = per_iteration
        # How many more may continue before the next iteration.
        self._remaining = per_iteration
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Return in this iteration or in a later one."""
        if self._remaining:
            self._count()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _count(self) -> None:
        self._remaining -= 1
        if not self._remaining:
            try:
                asyncio.get_running_loop().call_soon(self._on_iteration)
            except MemoryError:
                # Without the callback the waiting callers would never continue: do without the iteration.
                self._remaining = self._per_iteration

    def _on_iteration(self) -> None:
        self._remaining = self._per_iteration
        while self._waiters and self._remaining:
            waiter = self._waiters.popleft()
            if not waiter.done():
                wake(waiter, None)
                self._count()
