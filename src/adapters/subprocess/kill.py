"""The end of one task as a sweep sees it: until when it is waited for, who waits, and what they are told."""

import asyncio
from dataclasses import dataclass, field

from .wakeup import wake


@dataclass(slots=True)
class Kill:
    """`deadline` is a time of the loop, `clean` the walks in a row that have found nobody.

    `gone` is what those who waited have been told: whether all of it has been seen dead.
    """

    deadline: float
    clean: int = 0
    gone: bool | None = None
    _waiting: list[asyncio.Future[bool]] = field(default_factory=list[asyncio.Future[bool]])

    async def wait(self) -> bool:
        """Return what there is to be told, as soon as there is."""
        if self.gone is not None:
            return self.gone
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return await waiting

    def finish(self, *, gone: bool) -> None:
        """Tell all who wait; where that fails, it may be called again."""
        while self._waiting:
            wake(self._waiting[-1], gone)
            self._waiting.pop()
        self.gone = gone
