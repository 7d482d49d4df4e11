"""Whether one client is read: not while it, or the agent, has enough in hand; what it sends then waits on its side."""

import asyncio
from typing import Protocol

from .context import ConnectionContext


class TakesLines(Protocol):
    """Takes in what a client has sent; `granted` says that the agent has room for one request, whatever it says."""

    def __call__(self, *, granted: bool = False) -> None:
        """Take."""
        ...


class ReadFlow:
    """Pauses and resumes a transport; shut for want of room, it has `take` called when it is this client's turn."""

    __slots__ = (
        "_budget",
        "_intake",
        "_log",
        "_room",
        "_scheduler",
        "_take",
        "_transport",
        "at_eof",
        "scheduled",
        "short_of_memory",
        "shut",
    )

    def __init__(self, transport: asyncio.Transport, context: ConnectionContext, take: TakesLines) -> None:
        self._transport = transport
        self._intake = context.intake
        self._scheduler = context.scheduler
        self._budget = context.memory
        self._log = context.memory_log
        # The client holds too much: it has its next turn when memory is free again.
        self.short_of_memory = False
        self._take = take
        # Waits for room in the agent while it is full.
        self._room: asyncio.Task[None] | None = None
        # The client has more to say than fits into an iteration of the loop: it has its next turn from the scheduler.
        self.scheduled = False
        self.shut = False
        # The client has closed its sending side: there is nothing left to pause.
        self.at_eof = False

    def turn(self, *, shut: bool) -> None:
        """Read on, or not."""
        if self._transport.is_closing():
            return
        if shut and self._room is None and not (self.scheduled or self.short_of_memory or self._intake.has_room):
            self._room = asyncio.get_running_loop().create_task(self._await_room())
        if shut == self.shut:
            return
        self.shut = shut
        if self.at_eof:
            return
        if shut:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def yield_iteration(self, *, bulk: bool) -> None:
        """Take on in a later iteration of the loop: others have something to say too."""
        if not self.scheduled:
            self.scheduled = True
            self._scheduler.wait(self._go_on, bulk=bulk)

    def await_memory(self) -> None:
        """Take on when memory is free again, unless `turn` opens this before."""
        if not self.short_of_memory:
            self.short_of_memory = True
            self._log.warning()
            self._budget.wait(self._on_memory)

    def look_again(self) -> None:
        """Take on, if it was for memory that this was shut: the client holds less now."""
        if self.short_of_memory:
            self._budget.forget(self._on_memory)
            self._on_memory()

    def close(self) -> None:
        """Call nobody any more."""
        if self._room is not None:
            self._room.cancel()
        if self.scheduled:
            self._scheduler.forget(self._go_on)
        if self.short_of_memory:
            self._budget.forget(self._on_memory)

    def _on_memory(self) -> None:
        self.short_of_memory = False
        self.yield_iteration(bulk=True)

    def _go_on(self) -> None:
        self.scheduled = False
        self._take()

    async def _await_room(self) -> None:
        await self._intake.room()
        self._room = None
        self._take(granted=True)
