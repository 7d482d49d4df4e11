"""What one client has in flight: which requests, under which ids, and in which order their results leave."""

import asyncio
import itertools
import json
from collections import deque

import structlog

from ...domain.control import TaskControl
from ...domain.outcome import Cancelled
from ...domain.output import NO_OUTPUT
from ...domain.ports import Clock, TaskIntake
from ...domain.task import NO_EXIT_CODE, TaskRequest, TaskResult
from .outbox import INTERNAL_ERROR, Exchange, Outbox
from .surroundings import InFlight
from .wire import Incoming, InvalidRequest, RequestId

_numbers = itertools.count(1)
"""Of clients, in the order in which they connected to this process."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Exchanges:
    """Starts each request at once; its result goes to the outbox in its turn, or as soon as it is there under an id."""

    __slots__ = (
        "_bytes",
        "_client",
        "_clock",
        "_closed",
        "_count",
        "_ids",
        "_in_order",
        "_intake",
        "_limits",
        "_running",
        "full",
        "outbox",
    )

    def __init__(self, intake: TaskIntake, clock: Clock, limits: InFlight) -> None:
        """Start with nothing in flight; `outbox` has to be set before the first request."""
        # A number for the log; not this object itself, which would then be a circle with whatever runs.
        self._client = next(_numbers)
        self._intake = intake
        self._clock = clock
        self._limits = limits
        # Requests without an id whose results have not been passed on, oldest first.
        self._in_order: deque[Exchange] = deque()
        self._ids: set[RequestId] = set()
        self._running: set[Exchange] = set()
        # Taken and not yet sent, and the bytes of their lines.
        self._count = 0
        self._bytes = 0
        # Whether this client has to wait before it may ask for more.
        self.full = False
        # The client is gone; results go nowhere.
        self._closed = False
        self.outbox: Outbox | None = None

    @property
    def empty(self) -> bool:
        """Whether everything that was taken has been answered."""
        return self._count == 0

    @property
    def unanswered(self) -> int:
        """How many requests were taken and have not been answered."""
        return self._count

    def take(self, incoming: Incoming | InvalidRequest, request_bytes: int) -> None:
        """Run what was asked for, or say what is wrong with it."""
        if isinstance(incoming, InvalidRequest):
            self._reject_line(incoming.reason, incoming.id, request_bytes)
        elif incoming.id in self._ids:
            self._reject_line("Expected an id that is not in flight - at `$.id`", incoming.id, request_bytes)
        else:
            exchange = self._open(incoming.id, request_bytes)
            if incoming.id is not None:
                self._ids.add(incoming.id)
            exchange.task = asyncio.get_running_loop().create_task(self._serve(exchange, incoming.request))
            self._running.add(exchange)

    def refuse(self, error: str, request_id: RequestId | None = None, request_bytes: int = 0) -> None:
        """Answer a request that is not run at all."""
        exchange = self._open(request_id, request_bytes)
        self._pass_on(exchange, self._result_without_a_run((), error))

    def sent(self, exchange: Exchange) -> None:
        """Forget an exchange that the outbox has handed over."""
        self._count -= 1
        self._bytes -= exchange.request_bytes
        self.full = self._count >= self._limits.requests or self._bytes >= self._limits.request_bytes

    def close(self) -> None:
        """Kill what runs for a client that has gone, unless it is to finish, and drop what it was to be told."""
        self._closed = True
        for exchange in tuple(self._running):
            if self._limits.killed_with_client:
                exchange.control.stop(Cancelled())
        for exchange in self._in_order:
            if exchange.result is not None:
                exchange.result.output.close()
        self._in_order.clear()

    def _reject_line(self, reason: str, request_id: RequestId | None, request_bytes: int) -> None:
        if request_id in self._ids:
            # Under that id, it would be taken for the result of the task that has it.
            reason, request_id = f"{reason} (the id {json.dumps(request_id)} is in flight on this connection)", None
        self.refuse(f"invalid request: {reason}", request_id, request_bytes)

    def _open(self, request_id: RequestId | None, request_bytes: int) -> Exchange:
        exchange = Exchange(request_id, request_bytes, control=TaskControl(self._client, request_id))
        self._count += 1
        self._bytes += request_bytes
        self.full = self._count >= self._limits.requests or self._bytes >= self._limits.request_bytes
        if request_id is None:
            self._in_order.append(exchange)
        return exchange

    async def _serve(self, exchange: Exchange, request: TaskRequest) -> None:
        try:
            result = await self._intake.run(request, exchange.control)
        except Exception:  # noqa: BLE001 -- the last line of defence: a defect must not leave its client waiting
            _log.exception("a task failed inside the agent", command=request.command)
            result = self._result_without_a_run(request.command, INTERNAL_ERROR)
        finally:
            self._running.discard(exchange)
            exchange.task = None
        if exchange.id is not None:
            self._ids.discard(exchange.id)
        self._pass_on(exchange, result)

    def _pass_on(self, exchange: Exchange, result: TaskResult) -> None:
        if self._closed or self.outbox is None:
            result.output.close()
            return
        exchange.result = result
        if exchange.id is not None:
            self.outbox.put(exchange)
        while self._in_order and self._in_order[0].result is not None:
            self.outbox.put(self._in_order.popleft())

    def _result_without_a_run(self, command: tuple[str, ...], error: str) -> TaskResult:
        return TaskResult(command, int(self._clock.unix_seconds()), 0.0, NO_EXIT_CODE, NO_OUTPUT, error)
