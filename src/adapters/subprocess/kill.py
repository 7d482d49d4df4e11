"""The kill of one task as the scans see it: its deadline, the callers that wait for it, and their result."""

import asyncio
from dataclasses import dataclass, field

from .wakeup import wake


@dataclass(slots=True)
class Kill:
    """`deadline` is a time of the event loop, `clean` the number of scans in a row that have found no process.

    `gone` is the result that the callers of `wait` get: whether all of the task has been seen dead. None until then.
    """

    deadline: float
    clean: int = 0
    gone: bool | None = None
    _waiters: list[asyncio.Future[bool]] = field(default_factory=list[asyncio.Future[bool]])

    async def wait(self) -> bool:
        """Return `gone` as soon as it is set."""
        if self.gone is not None:
            return self.gone
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return await waiter

    def finish(self, *, gone: bool) -> None:
        """Set `gone` and wake all waiting callers; if that fails, it may be called again."""
        while self._waiters:
            wake(self._waiters[-1], gone)
            self._waiters.pop()
        self.gone = gone
