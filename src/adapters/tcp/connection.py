"""The protocol of one connection: when it is read, what end-of-file means, and how it is closed."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

from ...protocol.framing import FOREIGN, LineFramer
from .batch import Batch, BatchEnd
from .client_log import log_gone
from .closing import Closing
from .connection_state import State
from .context import ConnectionContext
from .exchange import Exchange
from .flow_control import ReadFlow
from .liveness import Liveness, OneShotTimer
from .peers import Peer
from .pipeline import Pipeline
from .result_writer import ResultWriter


class Connection(asyncio.Protocol):
    """Serves one client; the event loop calls it as asyncio.Protocol describes."""

    def __init__(
        self,
        context: ConnectionContext,
        peer: Peer,
        on_open: "Callable[[Connection], None]",
        on_fully_sent: "Callable[[Connection], None]",
        on_close: "Callable[[Connection], None]",
    ) -> None:
        """Call `on_open` before reading, `on_fully_sent` when only the client's close is missing, `on_close` last."""
        self._on_open = on_open
        self._on_fully_sent = on_fully_sent
        self._on_close = on_close
        self._context = context
        self._peer = peer
        self._framer = LineFramer(context.max_line)
        self._pipeline = Pipeline(context, lambda: self._read_flow.recheck_memory())  # noqa: PLW0108 -- set later
        # `_read_requests` is running: a result that is sent meanwhile must not call it again.
        self._reading = False
        self._state = State.OPEN
        # Limits the time from the first byte of a line to its end.
        self._line_timer = OneShotTimer(context.line_seconds, self._on_line_timeout)
        self._batch = Batch(self._framer, self._pipeline, context, self._line_timer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to serve."""
        # uvloop's transports have the interface of asyncio's, but do not inherit from it.
        self._transport = cast("asyncio.Transport", transport)
        self._result_writer = self._pipeline.result_writer = ResultWriter(
            self._transport, self._pipeline.holder, self._on_sent
        )
        self._read_flow = ReadFlow(self._transport, self._context, partial(self._read_requests, scheduled=True))
        read_flow = self._read_flow
        closing = self._closing = Closing(self._transport, partial(self._on_fully_sent, self))
        self._liveness = Liveness(
            self._transport, self._peer, lambda: read_flow.paused or read_flow.at_eof or closing.is_over_limit
        )
        self._on_open(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the client's requests in flight, or let them finish (setting `lost_client`); drop all results."""
        self._state = State.CLOSED
        self._framer.clear()
        self._read_flow.close()
        self._liveness.close()
        self._line_timer.stop()
        log_gone(self._transport, self._peer, self._pipeline.unanswered, exc)
        self._pipeline.close()
        self._result_writer.close()
        self._on_close(self)
        # The parts refer to this object: a reference cycle, which only the garbage collector would free.
        for part in (
            "_transport",
            "_result_writer",
            "_pipeline",
            "_batch",
            "_read_flow",
            "_closing",
            "_liveness",
            "_line_timer",
        ):
            delattr(self, part)

    def data_received(self, data: bytes) -> None:
        """Buffer bytes and start the requests that they complete."""
        if self._state >= State.CLOSING:
            if self._closing.discard(data):
                self._liveness.watch()
            return
        self._framer.feed(data)
        if self._framer.foreign:
            self.reject(FOREIGN)
        else:
            self._read_requests()

    def eof_received(self) -> bool:
        """Keep the connection open (True) while requests sent before are not read or not answered."""
        self._read_flow.at_eof = True
        self._read_requests()
        if self._pipeline.empty and not self._read_flow.paused:
            return False
        self._liveness.check()
        return True

    def pause_writing(self) -> None:
        """Stop writing results: the client does not read them fast enough."""
        self._result_writer.pause()

    def resume_writing(self) -> None:
        """Continue writing results."""
        self._result_writer.resume()

    def reject(self, reason: str) -> None:
        """Send the reason, read no more requests, and close."""
        self._stop_reading()
        self._pipeline.reject(reason)
        self._close_when_done()

    def shut_down(self) -> None:
        """Close as soon as no request is in flight; until then new requests are still read and answered."""
        self._state = max(self._state, State.STOPPING)
        # Later, after reading what has arrived by now: closing with unread bytes would reset the connection.
        asyncio.get_running_loop().call_later(0, partial(self._close_when_done, at_shutdown=True))

    @property
    def idle(self) -> bool:
        """Whether no request is in flight."""
        return self._pipeline.empty

    def abort(self) -> None:
        """Close now, even with requests in flight; does nothing once the connection is lost."""
        if hasattr(self, "_transport"):
            self._transport.abort()

    def _on_sent(self, exchange: Exchange) -> None:
        self._pipeline.on_sent(exchange)
        if self._reading:
            return
        if self._read_flow.paused:
            self._read_requests()
        elif self._state is not State.OPEN:
            self._close_when_done()

    def _read_requests(self, *, scheduled: bool = False, granted: bool = False) -> None:
        read_flow = self._read_flow
        if self._state >= State.CLOSING:
            self._close_when_done()
            return
        if read_flow.scheduled and not granted:
            return
        self._reading = True
        batch = self._batch
        end = batch.handle_lines(scheduled=scheduled, granted=granted)
        if end is not BatchEnd.BUFFER_EMPTY or batch.charged:
            batch.charge_buffer()
        if end is BatchEnd.YIELD:
            read_flow.yield_iteration(bulk=batch.is_bulk)
        elif end is BatchEnd.NO_COMPLETE_LINE or (read_flow.at_eof and end is BatchEnd.BUFFER_EMPTY):
            self._at_buffer_end()
            if self._pipeline.holder.must_wait and not read_flow.at_eof:
                end = BatchEnd.NO_MEMORY
        if end is BatchEnd.NO_MEMORY:
            read_flow.wait_for_memory()
        self._reading = False
        paused = not (end is BatchEnd.BUFFER_EMPTY or end is BatchEnd.NO_COMPLETE_LINE or self._state >= State.CLOSING)
        if paused or read_flow.paused:
            self._set_paused(paused=paused)
        if self._state is not State.OPEN:
            self._close_when_done()

    def _set_paused(self, *, paused: bool) -> None:
        self._read_flow.set_paused(paused=paused)
        if paused:
            self._liveness.watch()

    def _at_buffer_end(self) -> None:
        if self._read_flow.at_eof:
            line = self._framer.partial
            self._stop_reading()
            self._batch.handle_final_line(line)
        elif self._framer.has_partial:
            self._line_timer.start()

    def _on_line_timeout(self) -> None:
        seconds, short = f"within {self._context.line_seconds:g} s", self._read_flow.short_of_memory
        if short and b"\n" not in self._framer.pending:
            self.reject(f"refused: memory is used up, and the line could not be read {seconds}")
        elif self._state < State.CLOSING and not self._read_flow.paused:
            self.reject(f"invalid request: The line was not completed {seconds}")

    def _stop_reading(self) -> None:
        self._state = max(self._state, State.CLOSING)
        self._framer.clear()

    def _close_when_done(self, *, at_shutdown: bool = False) -> None:
        # `at_shutdown`: called by `shut_down`; then an idle connection is closed at once, without a half-close.
        if self._state is State.OPEN or self._state is State.CLOSED or not self._pipeline.empty:
            return
        if at_shutdown and self._read_flow.paused:
            return
        self._state = State.CLOSED
        self._stop_reading()
        self._read_flow.set_paused(paused=False)
        self._closing.half_close(at_once=at_shutdown or self._read_flow.at_eof)
