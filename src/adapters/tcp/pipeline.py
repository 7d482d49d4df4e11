"""The requests that one client has in flight, their ids, and the order in which their results are sent."""

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import Callable

import structlog

from ...domain.control import TaskControl
from ...domain.memory import MemoryHolder
from ...domain.outcome import Cancelled
from ...domain.output import NO_OUTPUT
from ...domain.task import NO_EXIT_CODE, TaskRequest, TaskResult
from ...protocol.requests import DecodedRequest, InvalidRequest, RequestId
from ...protocol.results import INTERNAL_ERROR
from .context import ConnectionContext
from .exchange import Exchange
from .relief import Relief
from .result_writer import ANSWER_BYTES, ResultWriter

_numbers = itertools.count(1)
"""Client numbers, in the order in which the clients connected to this process."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

REQUEST_BYTES = 4 * 1024
"""Memory of a request without its command, from line to result: its asyncio.Task, coroutines, registries."""
SMALL_BYTES = 1024
"""Up to this length of a line, REQUEST_BYTES covers the command as well."""
ARGUMENT_BYTES = 64
"""Memory of a Python string without its characters: a command of many short words takes far more than its line."""


def estimate(text_bytes: int, arguments: int) -> int:
    """Return the memory in bytes of a request whose arguments are `text_bytes` long as text."""
    return REQUEST_BYTES + text_bytes + ARGUMENT_BYTES * arguments


class Pipeline:
    """Submits each request to the intake at once; writes results in the order of requests, those with an id at once."""

    __slots__ = (
        "_client",
        "_clock",
        "_closed",
        "_count",
        "_ids",
        "_in_order",
        "_intake",
        "_limits",
        "_loop",
        "_relief",
        "full",
        "holder",
        "result_writer",
    )

    def __init__(self, context: ConnectionContext, on_relieved: Callable[[], None]) -> None:
        """`result_writer` has to be set before the first request.

        `on_relieved` is called after answers were moved to the spool because memory was short.
        """
        # Tells clients apart. A number, not this object, which would form a reference cycle with its running tasks.
        self._client = next(_numbers)
        self._intake = context.intake
        self._clock = context.clock
        self._limits = context.in_flight
        self._relief = Relief(context, on_relieved)
        # Counts the memory that this client uses.
        self.holder = MemoryHolder(context.memory, self._relieve)
        # Requests without an id whose results have not been written, oldest first.
        self._in_order: deque[Exchange] = deque()
        # Requests in flight with an id.
        self._ids: dict[RequestId, Exchange] = {}
        self._loop = asyncio.get_running_loop()
        # Requests submitted whose results have not been sent.
        self._count = 0
        # Whether the limit of requests in flight is reached.
        self.full = False
        # The client has disconnected; results are dropped.
        self._closed = False
        self.result_writer: ResultWriter | None = None

    @property
    def empty(self) -> bool:
        """Whether all submitted requests have been answered."""
        return self._count == 0

    @property
    def unanswered(self) -> int:
        """How many submitted requests have not been answered."""
        return self._count

    def submit(self, incoming: DecodedRequest | InvalidRequest, line: bytes = b"") -> None:
        """Run a request, decoded from `line`; or, if it is invalid, answer with the reason."""
        if type(incoming) is InvalidRequest:
            self._reject_line(incoming.reason, incoming.id)
        elif incoming.id in self._ids:
            self._reject_line("Expected an id that is not in flight - at `$.id`", incoming.id)
        else:
            memory = REQUEST_BYTES
            if line[SMALL_BYTES:]:
                # Python needs up to four bytes per character for text that is not ASCII.
                memory = estimate(len(line) if line.isascii() else 4 * len(line), len(incoming.request.command))
            exchange = self._open(incoming.id, memory)
            if incoming.id is not None:
                self._ids[incoming.id] = exchange
            exchange.task = self._loop.create_task(self._serve(exchange, incoming.request))

    def reject(self, error: str, request_id: RequestId | None = None) -> None:
        """Answer a request with `error`, without running it."""
        exchange = self._open(request_id, ANSWER_BYTES)
        self._deliver(exchange, self._error_result((), error))

    def on_sent(self, exchange: Exchange) -> None:
        """Remove an exchange whose result has been handed to the transport."""
        self._count -= 1
        self.full = False
        # `_release_memory` inlined: this runs for every task.
        holder, budget = self.holder, self.holder.budget
        holder.charged -= exchange.memory
        budget.free += exchange.memory
        exchange.memory = 0
        exchange.answer = None
        if budget.waiting:
            budget.wake()

    def close(self) -> None:
        """Drop all results of a disconnected client; stop its requests in flight, if `cancel_on_disconnect` is set."""
        self._closed = True
        self._count = 0
        self._relief.close()
        in_flight = [exchange for exchange in (*self._in_order, *self._ids.values()) if exchange.task is not None]
        if self._limits.cancel_on_disconnect:
            for exchange in in_flight:
                exchange.control.stop(Cancelled())
        for exchange in self._in_order:
            exchange.close()
        self._in_order.clear()
        # Only these are still charged.
        self.holder.charge(sum(exchange.memory for exchange in in_flight) - self.holder.charged)
        self.holder.close()

    def _relieve(self) -> None:
        if self.result_writer is not None:
            self._relief.start(self.holder, self.result_writer, reversed(self._in_order))

    def _release_memory(self, exchange: Exchange) -> None:
        self.holder.charge(-exchange.memory)
        exchange.memory = 0
        exchange.answer = None

    def _reject_line(self, reason: str, request_id: RequestId | None) -> None:
        if request_id in self._ids:
            # With that id, the client would take the rejection for the result of the task in flight.
            reason, request_id = f"{reason} (the id {json.dumps(request_id)} is in flight on this connection)", None
        self.reject(f"invalid request: {reason}", request_id)

    def _open(self, request_id: RequestId | None, memory: int) -> Exchange:
        exchange = Exchange(request_id, memory, control=TaskControl(self._client, request_id))
        self._count += 1
        if self._count >= self._limits.requests:
            self.full = True
        self.holder.charged += memory
        self.holder.budget.free -= memory
        if request_id is None:
            self._in_order.append(exchange)
        return exchange

    async def _serve(self, exchange: Exchange, request: TaskRequest) -> None:
        try:
            result = await self._intake.run(request, exchange.control)
        except Exception as error:  # noqa: BLE001 -- last resort: after a defect, too, the client must get an answer
            result = self._error_result(request.command, INTERNAL_ERROR)
            with contextlib.suppress(MemoryError):
                _log.error("a task failed inside the agent", command=request.command, exc_info=error)
        finally:
            exchange.task = None
            if exchange.id is not None:
                self._ids.pop(exchange.id, None)
        self._deliver(exchange, result)

    def _deliver(self, exchange: Exchange, result: TaskResult) -> None:
        if self._closed or self.result_writer is None:
            result.output.close()
            self._release_memory(exchange)
            return
        exchange.result = result
        if exchange.id is not None:
            self.result_writer.write(exchange)
        elif self._in_order[0] is not exchange:
            self.result_writer.hold(exchange)
        else:
            self.result_writer.write(self._in_order.popleft())
            while self._in_order and self._in_order[0].answer is not None:
                self.result_writer.write(self._in_order.popleft())

    def _error_result(self, command: tuple[str, ...], error: str) -> TaskResult:
        return TaskResult(command, int(self._clock.unix_seconds()), 0.0, NO_EXIT_CODE, NO_OUTPUT, error)
