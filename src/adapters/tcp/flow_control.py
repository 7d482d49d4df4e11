"""Whether one client is read: not while it, or the agent, has enough in hand; what it sends then waits on its side."""

import asyncio
from typing import Protocol

from .context import ConnectionContext


class ReadCallback(Protocol):
    """Takes in what a client has sent; `granted` says that the agent has room for one request, whatever it says."""

    def __call__(self, *, granted: bool = False) -> None:
        """Take."""
        ...


class ReadFlow:
    """Pauses and resumes a transport; shut for want of room, it has `take` called when it is this client's turn."""

    __slots__ = (
        "_budget",
        "_capacity",
        "_intake",
        "_log",
        "_read_requests",
        "_scheduler",
        "_transport",
        "at_eof",
        "paused",
        "scheduled",
        "short_of_memory",
    )

    def __init__(self, transport: asyncio.Transport, context: ConnectionContext, take: ReadCallback) -> None:
        self._transport = transport
        self._intake = context.intake
        self._scheduler = context.scheduler
        self._budget = context.memory
        self._log = context.memory_log
        # The client holds too much: it has its next turn when memory is free again.
        self.short_of_memory = False
        self._read_requests = take
        # Waits for room in the agent while it is full.
        self._capacity: asyncio.Task[None] | None = None
        # The client has more to say than fits into an iteration of the loop: it has its next turn from the scheduler.
        self.scheduled = False
        self.paused = False
        # The client has closed its sending side: there is nothing left to pause.
        self.at_eof = False

    def set_paused(self, *, paused: bool) -> None:
        """Read on, or not."""
        if self._transport.is_closing():
            return
        if (
            paused
            and self._capacity is None
            and not (self.scheduled or self.short_of_memory or self._intake.has_capacity)
        ):
            self._capacity = asyncio.get_running_loop().create_task(self._wait_for_capacity())
        if paused == self.paused:
            return
        self.paused = paused
        if self.at_eof:
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def yield_iteration(self, *, bulk: bool) -> None:
        """Take on in a later iteration of the loop: others have something to say too."""
        if not self.scheduled:
            self.scheduled = True
            self._scheduler.wait(self._continue, bulk=bulk)

    def wait_for_memory(self) -> None:
        """Take on when memory is free again, unless `turn` opens this before."""
        if not self.short_of_memory:
            self.short_of_memory = True
            self._log.warning()
            self._budget.wait(self._on_memory)

    def recheck_memory(self) -> None:
        """Take on, if it was for memory that this was shut: the client holds less now."""
        if self.short_of_memory:
            self._budget.forget(self._on_memory)
            self._on_memory()

    def close(self) -> None:
        """Call nobody any more."""
        if self._capacity is not None:
            self._capacity.cancel()
        if self.scheduled:
            self._scheduler.forget(self._continue)
        if self.short_of_memory:
            self._budget.forget(self._on_memory)

    def _on_memory(self) -> None:
        self.short_of_memory = False
        self.yield_iteration(bulk=True)

    def _continue(self) -> None:
        self.scheduled = False
        self._read_requests()

    async def _wait_for_capacity(self) -> None:
        await self._intake.wait_for_capacity()
        self._capacity = None
        self._read_requests(granted=True)
