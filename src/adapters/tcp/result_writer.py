"""Writes results to one client, in the order of `write` calls, and only as fast as the client reads."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import aclosing

import structlog

from ...domain.memory import MemoryHolder
from ...domain.output import CHUNK_BYTES
from ...protocol.results import ESCAPE_BYTES, encode_anyway
from .answer import Answer, encode_answer
from .exchange import Exchange

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

WRITE_BUFFER_BYTES = 64 * 1024
"""High-water mark of the transport: past it results wait in the result writer."""
ANSWER_BYTES = 1024
"""Memory of a waiting answer in addition to its bytes."""


class ResultWriter:
    """Sends results through a transport and calls `on_sent` when one has been handed to it.

    Owns the results passed to `write` and closes their outputs, sent or not. Results that wait are encoded and charged.
    """

    __slots__ = ("_holder", "_on_sent", "_resumed", "_stream", "_streamed", "_transport", "_unsent", "_waiting")

    def __init__(self, transport: asyncio.Transport, holder: MemoryHolder, on_sent: Callable[[Exchange], None]) -> None:
        """Write to `transport`, whose protocol calls `pause` and `resume`."""
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._transport = transport
        self._holder = holder
        self._on_sent = on_sent
        # With a result, but not yet handed to the transport.
        self._waiting: deque[Exchange] = deque()
        # Sends one large result, that of `_streamed`, in pieces; nothing else is written meanwhile.
        self._stream: asyncio.Task[None] | None = None
        self._streamed: Exchange | None = None
        # While writing is paused: done at `resume`.
        self._resumed: asyncio.Future[None] | None = None
        # The bytes in the transport's buffer when writing was paused, which are charged until `resume`.
        self._unsent = 0

    @property
    def waiting(self) -> Iterable[Exchange]:
        """The exchanges that wait to be sent, the last one first."""
        return reversed(self._waiting)

    def write(self, exchange: Exchange) -> None:
        """Send the result of an exchange, after those of earlier calls."""
        result = exchange.result
        if not self._waiting and self._stream is None and self._resumed is None and result is not None:
            in_memory = result.output.in_memory
            if in_memory is not None and len(in_memory) <= ESCAPE_BYTES:
                line = encode_anyway(result, in_memory, exchange.id)
                if in_memory:
                    result.output.close()
                if line and not line[WRITE_BUFFER_BYTES:]:
                    try:
                        self._transport.write(line)
                    except Exception:  # noqa: BLE001 -- last resort: no error may leave a client waiting
                        self._on_write_failed()
                    self._on_sent(exchange)
                    return
                # The command is large: this line, too, is written in pieces.
                exchange.answer = Answer(line)
        self.hold(exchange)
        self._waiting.append(exchange)
        self._send()

    def hold(self, exchange: Exchange) -> None:
        """Encode the result of an exchange that has to wait, so that it only uses the memory of its answer."""
        result = exchange.result
        if result is not None:
            exchange.answer = exchange.answer or encode_answer(result, exchange.id)
            exchange.result = None
            self.charge(exchange)
            if self._holder.must_wait:
                self._holder.on_pressure()

    def charge(self, exchange: Exchange) -> None:
        """Update the charge of an exchange to what its answer uses now."""
        if exchange.answer is not None:
            memory = ANSWER_BYTES + exchange.answer.memory
            self._holder.charge(memory - exchange.memory)
            exchange.memory = memory

    def pause(self) -> None:
        """Stop writing: the client does not read fast enough."""
        if self._resumed is None:
            self._resumed = asyncio.get_running_loop().create_future()
            self._unsent = self._transport.get_write_buffer_size()
            self._holder.charge(self._unsent)

    def resume(self) -> None:
        """Continue writing."""
        if self._resumed is not None:
            self._resumed.set_result(None)
            self._resumed = None
            self._holder.charge(-self._unsent)
            self._unsent = 0
        self._send()

    def close(self) -> None:
        """Drop all results: the client has disconnected."""
        if self._stream is not None and self._streamed is not None:
            self._stream.cancel()
            # A task that is cancelled before its first step does not run its `finally`.
            self._streamed.close()
        while self._waiting:
            self._waiting.popleft().close()

    def _send(self) -> None:
        while self._waiting and self._stream is None and self._resumed is None:
            exchange = self._waiting.popleft()
            answer = exchange.answer
            if answer is None:
                continue
            if answer.line is None:
                self._streamed = exchange
                self._stream = asyncio.get_running_loop().create_task(self._stream_answer(exchange, answer))
                return
            try:
                if answer.line:
                    self._transport.write(answer.line)
                else:
                    # Not even an error result could be encoded.
                    self._transport.abort()
            except Exception:  # noqa: BLE001 -- as above
                self._on_write_failed()
            answer.close()
            self._on_sent(exchange)

    def _on_write_failed(self) -> None:
        _log.exception("a result could not be written")
        # An error result could not be written either.
        self._transport.abort()

    async def _stream_answer(self, exchange: Exchange, answer: Answer) -> None:
        self._holder.charge(CHUNK_BYTES)
        exchange.memory += CHUNK_BYTES
        try:
            async with aclosing(answer.pieces()) as pieces:
                async for piece in pieces:
                    if self._resumed is not None:
                        await self._resumed
                    self._transport.write(piece)
        except Exception as error:  # noqa: BLE001 -- as above
            if not isinstance(error, OSError):
                _log.exception("a result could not be written")
            # The spool could not be read. A result that is half written cannot be repaired: cut the line short.
            self._transport.abort()
        finally:
            answer.close()
            self._stream = None
        self._on_sent(exchange)
        self._send()
