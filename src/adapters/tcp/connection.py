"""One client from its first byte to its last: what is read and when, what end-of-file means, how it is let go."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

from ...protocol.framing import FOREIGN, LineFramer
from .batch import LINES_A_TURN, LINES_AT_ONCE, Batch, End
from .client_log import log_gone
from .closing import Closing
from .connection_state import State
from .context import ConnectionContext
from .exchange import Exchange
from .flow_control import ReadFlow
from .liveness import Countdown, Liveness
from .peers import Peer
from .pipeline import Pipeline
from .result_writer import ResultWriter


class Connection(asyncio.Protocol):
    """Serves one client; asyncio calls it, as asyncio.Protocol says."""

    def __init__(
        self,
        context: ConnectionContext,
        peer: Peer,
        on_made: "Callable[[Connection], None]",
        on_told: "Callable[[Connection], None]",
        on_lost: "Callable[[Connection], None]",
    ) -> None:
        """Prepare; `on_made` is called before it is read, `on_told` when it has only to close, `on_lost` at the end."""
        self._on_made = on_made
        self._on_told = on_told
        self._on_lost = on_lost
        self._context = context
        self._peer = peer
        self._framer = LineFramer(context.max_line)
        self._pipeline = Pipeline(context, lambda: self._read_flow.look_again())  # noqa: PLW0108 -- there is none yet
        # Lines are being taken; what is sent meanwhile needs no second round of it.
        self._taking = False
        self._state = State.OPEN
        # Runs out if a line that has begun to arrive is not completed.
        self._patience = Countdown(context.line_seconds, self._give_up_on_line)
        self._batch = Batch(self._framer, self._pipeline, context, self._patience)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports do not inherit from asyncio's, they only behave like them.
        self._transport = cast("asyncio.Transport", transport)
        self._result_writer = self._pipeline.result_writer = ResultWriter(
            self._transport, self._pipeline.holder, self._sent
        )
        self._read_flow = ReadFlow(self._transport, self._context, partial(self._take_lines, LINES_A_TURN))
        read_flow = self._read_flow
        closing = self._closing = Closing(self._transport, partial(self._on_told, self))
        self._liveness = Liveness(
            self._transport, self._peer, lambda: read_flow.shut or read_flow.at_eof or closing.is_deaf
        )
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whatever still runs for this client is killed, whatever it was to be told is dropped."""
        self._state = State.EOF_SENT
        self._framer.clear()
        self._read_flow.close()
        self._liveness.close()
        self._patience.stop()
        log_gone(self._transport, self._peer, self._pipeline.unanswered, exc)
        self._pipeline.close()
        self._result_writer.close()
        self._on_lost(self)
        # The parts know this whole: a circle, which would keep all of them until the garbage collector comes by.
        for part in (
            "_transport",
            "_result_writer",
            "_pipeline",
            "_batch",
            "_read_flow",
            "_closing",
            "_liveness",
            "_patience",
        ):
            delattr(self, part)

    def data_received(self, data: bytes) -> None:
        """Take in bytes and start what they ask for."""
        if self._state >= State.CLOSING:
            if self._closing.discard(data):
                self._liveness.watch()
            return
        self._framer.feed(data)
        if self._framer.foreign:
            self.refuse(FOREIGN)
        else:
            self._take_lines()

    def eof_received(self) -> bool:
        """Keep the connection open (true) while something that was asked for before is not taken or not answered."""
        self._read_flow.at_eof = True
        self._take_lines()
        if self._pipeline.empty and not self._read_flow.shut:
            return False
        self._liveness.check()
        return True

    def pause_writing(self) -> None:
        """Hold results back: the client does not read as fast as they come."""
        self._result_writer.pause()

    def resume_writing(self) -> None:
        """Send on."""
        self._result_writer.resume()

    def refuse(self, reason: str) -> None:
        """Say why this client is not served, take nothing from it, and close."""
        self._drop_the_rest()
        self._pipeline.refuse(reason)
        self._settle()

    def leave(self) -> None:
        """Close as soon as nothing is owed; until then requests are still taken, so that each gets an answer."""
        self._state = max(self._state, State.DRAINING)
        # Not before what has arrived by now is read: closing with bytes unread would reset the connection.
        asyncio.get_running_loop().call_later(0, partial(self._settle, is_idle=True))

    @property
    def answered(self) -> bool:
        """Whether nothing is owed to this client."""
        return self._pipeline.empty

    def abort(self) -> None:
        """Close now, answered or not, unless that has happened by itself."""
        if hasattr(self, "_transport"):
            self._transport.abort()

    def _sent(self, exchange: Exchange) -> None:
        self._pipeline.sent(exchange)
        if self._taking:
            return
        if self._read_flow.shut:
            self._take_lines()
        elif self._state is not State.OPEN:
            self._settle()

    def _take_lines(self, most: int = LINES_AT_ONCE, *, granted: bool = False) -> None:
        read_flow = self._read_flow
        if self._state >= State.CLOSING:
            self._settle()
            return
        if read_flow.scheduled and not granted:
            return
        self._taking = True
        end = self._batch.take(most, granted=granted)
        if end is End.ITERATION:
            read_flow.yield_iteration(bulk=self._batch.is_bulk)
        elif end is End.LINES or (read_flow.at_eof and end is End.BYTES):
            self._take_the_rest()
            if self._pipeline.holder.must_wait and not read_flow.at_eof:
                end = End.MEMORY
        if end is End.MEMORY:
            read_flow.await_memory()
        self._taking = False
        shut = not (end is End.BYTES or end is End.LINES or self._state >= State.CLOSING)
        if shut or read_flow.shut:
            read_flow.turn(shut=shut)
            if shut:
                self._liveness.watch()
        if self._state is not State.OPEN:
            self._settle()

    def _take_the_rest(self) -> None:
        if self._read_flow.at_eof:
            line = self._framer.partial
            self._drop_the_rest()
            self._batch.take_last(line)
        elif self._framer.has_partial:
            self._patience.start()

    def _give_up_on_line(self) -> None:
        seconds, short = f"within {self._context.line_seconds:g} s", self._read_flow.short_of_memory
        if short and b"\n" not in self._framer.pending:
            self.refuse(f"refused: memory is used up, and the line could not be read {seconds}")
        elif self._state < State.CLOSING and not self._read_flow.shut:
            self.refuse(f"invalid request: The line was not completed {seconds}")

    def _drop_the_rest(self) -> None:
        self._state = max(self._state, State.CLOSING)
        self._framer.clear()

    def _settle(self, *, is_idle: bool = False) -> None:
        if self._state is State.OPEN or self._state is State.EOF_SENT or not self._pipeline.empty:
            return
        if is_idle and self._read_flow.shut:
            return
        self._state = State.EOF_SENT
        self._drop_the_rest()
        self._read_flow.turn(shut=False)
        self._closing.tell(at_once=is_idle or self._read_flow.at_eof)
