"""Results on their way to one client: written in the order in which they are put, only as fast as it reads."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog

from ...domain.control import TaskControl
from ...domain.output import NO_OUTPUT
from ...domain.task import NO_EXIT_CODE, TaskResult
from .wire import RequestId
from .wire_result import ESCAPE_BYTES, encode_result, stream_result

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

INTERNAL_ERROR = "internal error of the agent; its log says more"
WRITE_BUFFER_BYTES = 256 * 1024
"""What may wait in the transport for a slow client before results wait in their own place instead."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One request of a client and, once there is one, its result."""

    id: RequestId | None
    """Under which the result is sent as soon as it is there; without one, it waits for those before it."""
    request_bytes: int
    """The length of the line, which is about the memory that the request takes."""
    result: TaskResult | None = None
    task: asyncio.Task[None] | None = None
    """Runs it, while it runs."""
    control: TaskControl = field(default_factory=TaskControl)


class Outbox:
    """Sends results through a transport and tells its owner, by `on_sent`, when one has been handed over.

    Owns the results that were put and closes their outputs, delivered or not.
    """

    __slots__ = ("_delivered", "_delivery", "_on_sent", "_resumed", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport, on_sent: Callable[[Exchange], None]) -> None:
        """Write to `transport`, whose protocol passes its pause and resume on."""
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._transport = transport
        self._on_sent = on_sent
        # Ended, but not yet handed to the transport.
        self._waiting: deque[Exchange] = deque()
        # Streams one large result, that of `_delivered`; nothing else is written meanwhile.
        self._delivery: asyncio.Task[None] | None = None
        self._delivered: Exchange | None = None
        # Set while the transport has had enough.
        self._resumed: asyncio.Future[None] | None = None

    def put(self, exchange: Exchange) -> None:
        """Send an exchange that has its result, after those that were put before."""
        self._waiting.append(exchange)
        self._send()

    def pause(self) -> None:
        """Write no more: the client does not keep up."""
        if self._resumed is None:
            self._resumed = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Write on."""
        if self._resumed is not None:
            self._resumed.set_result(None)
            self._resumed = None
        self._send()

    def close(self) -> None:
        """Drop everything: the client is gone."""
        if self._delivery is not None and self._delivered is not None:
            self._delivery.cancel()
            # A task that is cancelled before its first step never reaches its own clean-up.
            _close_output(self._delivered)
        while self._waiting:
            _close_output(self._waiting.popleft())

    def _send(self) -> None:
        while self._waiting and self._delivery is None and self._resumed is None:
            exchange = self._waiting.popleft()
            result = exchange.result
            if result is None:
                continue
            held = result.output.held
            if held is None or len(held) > ESCAPE_BYTES:
                self._delivered = exchange
                self._delivery = asyncio.get_running_loop().create_task(self._deliver(exchange, result))
                break
            line = b""
            try:
                line = encode_result(result, held, exchange.id)
                self._transport.write(line)
            except Exception:  # noqa: BLE001 -- the last line of defence: nothing may leave a client waiting
                self._write_error(exchange, result, begun=line != b"")
            result.output.close()
            self._on_sent(exchange)

    async def _deliver(self, exchange: Exchange, result: TaskResult) -> None:
        begun = False
        try:
            async with aclosing(stream_result(result, exchange.id)) as pieces:
                async for piece in pieces:
                    if self._resumed is not None:
                        await self._resumed
                    begun = True
                    self._transport.write(piece)
        except OSError:
            # The spool could not be read back. Half a result cannot be mended on the wire: cut the line short.
            self._transport.abort()
        except Exception:  # noqa: BLE001 -- as above
            self._write_error(exchange, result, begun=begun)
        finally:
            result.output.close()
            self._delivery = None
        self._on_sent(exchange)
        self._send()

    def _write_error(self, exchange: Exchange, result: TaskResult, *, begun: bool) -> None:
        """Answer that there is no result; close the connection where not even that can be done."""
        _log.exception("a result could not be written", command=result.command)
        failed = replace(result, exit_code=NO_EXIT_CODE, output=NO_OUTPUT, error=INTERNAL_ERROR)
        try:
            line = b"" if begun else encode_result(failed, b"", exchange.id)
            if line:
                self._transport.write(line)
                return
        except Exception:  # noqa: BLE001 -- as above
            _log.exception("nor could its failure", command=result.command)
        self._transport.abort()


def _close_output(exchange: Exchange) -> None:
    if exchange.result is not None:
        exchange.result.output.close()
