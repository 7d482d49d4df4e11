"""Back-pressure on one client: reading is paused while the client or the agent has reached a limit."""

import asyncio
from typing import Protocol

from .context import ConnectionContext


class ReadCallback(Protocol):
    """Handles the buffered lines of a client; `granted` allows one request even if the intake has no capacity."""

    def __call__(self, *, granted: bool = False) -> None:
        """Read requests."""
        ...


class ReadFlow:
    """Pauses and resumes a transport; calls `read_requests` when the reason for a pause may be over."""

    __slots__ = (
        "_budget",
        "_capacity_wait",
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

    def __init__(self, transport: asyncio.Transport, context: ConnectionContext, read_requests: ReadCallback) -> None:
        self._transport = transport
        self._intake = context.intake
        self._scheduler = context.scheduler
        self._budget = context.memory
        self._log = context.memory_log
        # The client uses too much memory: the budget calls back when some is free.
        self.short_of_memory = False
        self._read_requests = read_requests
        # Set while the intake is full: it waits for capacity.
        self._capacity_wait: asyncio.Task[None] | None = None
        # More lines are buffered than one event-loop iteration may handle: the scheduler calls back.
        self.scheduled = False
        self.paused = False
        # The client has closed its sending side: there is nothing to pause.
        self.at_eof = False

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading."""
        if self._transport.is_closing():
            return
        if (
            paused
            and self._capacity_wait is None
            and not (self.scheduled or self.short_of_memory or self._intake.has_capacity)
        ):
            self._capacity_wait = asyncio.get_running_loop().create_task(self._wait_for_capacity())
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
        """Continue in a later event-loop iteration, so that other clients are read too."""
        if not self.scheduled:
            self.scheduled = True
            self._scheduler.wait(self._continue, bulk=bulk)

    def wait_for_memory(self) -> None:
        """Continue when memory is free again."""
        if not self.short_of_memory:
            self.short_of_memory = True
            self._log.warning()
            self._budget.wait(self._on_memory)

    def recheck_memory(self) -> None:
        """Continue if this waits for memory: the client holds less now."""
        if self.short_of_memory:
            self._budget.forget(self._on_memory)
            self._on_memory()

    def close(self) -> None:
        """Cancel all pending callbacks."""
        if self._capacity_wait is not None:
            self._capacity_wait.cancel()
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
        self._capacity_wait = None
        self._read_requests(granted=True)
