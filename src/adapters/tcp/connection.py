"""One client from its first byte to its last: what is read and when, what end-of-file means, how it is let go."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

from ...protocol.framing import FOREIGN, LineFramer
from .batch import LINES_A_TURN, LINES_AT_ONCE, Batch, End
from .client_log import log_gone
from .closing import Closing
from .exchange import Exchange
from .exchanges import Exchanges
from .liveness import Countdown, Liveness
from .outbox import Outbox
from .peers import Peer
from .surroundings import Surroundings
from .valve import Valve


class Connection(asyncio.Protocol):
    """Serves one client; asyncio calls it, as asyncio.Protocol says."""

    def __init__(
        self,
        surroundings: Surroundings,
        peer: Peer,
        on_made: "Callable[[Connection], None]",
        on_told: "Callable[[Connection], None]",
        on_lost: "Callable[[Connection], None]",
    ) -> None:
        """Prepare; `on_made` is called before it is read, `on_told` when it has only to close, `on_lost` at the end."""
        self._on_made = on_made
        self._on_told = on_told
        self._on_lost = on_lost
        self._surroundings = surroundings
        self._peer = peer
        self._framer = LineFramer(surroundings.max_line)
        self._exchanges = Exchanges(surroundings, lambda: self._valve.look_again())  # noqa: PLW0108 -- there is none yet
        # Lines are being taken; what is sent meanwhile needs no second round of it.
        self._taking = False
        # Whatever this client is owed is the last; what it asks for until it has that, is still taken.
        self._ending = False
        # Nothing more is taken from this client; it is answered and let go.
        self._leaving = False
        # Everything was answered and the client has been told that there is no more.
        self._told = False
        # Runs out if a line that has begun to arrive is not completed.
        self._patience = Countdown(surroundings.line_seconds, self._give_up_on_line)
        self._batch = Batch(self._framer, self._exchanges, surroundings, self._patience)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports do not inherit from asyncio's, they only behave like them.
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = self._exchanges.outbox = Outbox(self._transport, self._exchanges.holder, self._sent)
        self._valve = Valve(self._transport, self._surroundings, partial(self._take_lines, LINES_A_TURN))
        valve = self._valve
        closing = self._closing = Closing(self._transport, partial(self._on_told, self))
        self._liveness = Liveness(self._transport, self._peer, lambda: valve.shut or valve.at_eof or closing.is_deaf)
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whatever still runs for this client is killed, whatever it was to be told is dropped."""
        self._leaving = self._told = True
        self._framer.clear()
        self._valve.close()
        self._liveness.close()
        self._patience.stop()
        log_gone(self._transport, self._peer, self._exchanges.unanswered, exc)
        self._exchanges.close()
        self._outbox.close()
        self._on_lost(self)
        # The parts know this whole: a circle, which would keep all of them until the garbage collector comes by.
        for part in ("_transport", "_outbox", "_exchanges", "_batch", "_valve", "_closing", "_liveness", "_patience"):
            delattr(self, part)

    def data_received(self, data: bytes) -> None:
        """Take in bytes and start what they ask for."""
        if self._leaving:
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
        self._valve.at_eof = True
        self._take_lines()
        if self._exchanges.empty and not self._valve.shut:
            return False
        self._liveness.check()
        return True

    def pause_writing(self) -> None:
        """Hold results back: the client does not read as fast as they come."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Send on."""
        self._outbox.resume()

    def refuse(self, reason: str) -> None:
        """Say why this client is not served, take nothing from it, and close."""
        self._drop_the_rest()
        self._exchanges.refuse(reason)
        self._settle()

    def leave(self) -> None:
        """Close as soon as nothing is owed; until then requests are still taken, so that each gets an answer."""
        self._ending = True
        # Not before what has arrived by now is read: closing with bytes unread would reset the connection.
        asyncio.get_running_loop().call_later(0, partial(self._settle, is_idle=True))

    @property
    def answered(self) -> bool:
        """Whether nothing is owed to this client."""
        return self._exchanges.empty

    def abort(self) -> None:
        """Close now, answered or not, unless that has happened by itself."""
        if hasattr(self, "_transport"):
            self._transport.abort()

    def _sent(self, exchange: Exchange) -> None:
        self._exchanges.sent(exchange)
        if self._taking:
            return
        if self._valve.shut:
            self._take_lines()
        elif self._leaving or self._ending:
            self._settle()

    def _take_lines(self, most: int = LINES_AT_ONCE, *, granted: bool = False) -> None:
        valve = self._valve
        if self._leaving:
            self._settle()
            return
        if valve.scheduled and not granted:
            return
        self._taking = True
        end = self._batch.take(most, granted=granted)
        if end is End.ITERATION:
            valve.let_others(bulk=self._batch.is_bulk)
        elif end is End.LINES or (valve.at_eof and end is End.BYTES):
            self._take_the_rest()
            if self._exchanges.holder.must_wait and not valve.at_eof:
                end = End.MEMORY
        if end is End.MEMORY:
            valve.await_memory()
        self._taking = False
        shut = not (end is End.BYTES or end is End.LINES or self._leaving)
        if shut or valve.shut:
            valve.turn(shut=shut)
            if shut:
                self._liveness.watch()
        if self._ending or self._leaving:
            self._settle()

    def _take_the_rest(self) -> None:
        if self._valve.at_eof:
            line = self._framer.partial
            self._drop_the_rest()
            self._batch.take_last(line)
        elif self._framer.has_partial:
            self._patience.start()

    def _give_up_on_line(self) -> None:
        seconds, short = f"within {self._surroundings.line_seconds:g} s", self._valve.short_of_memory
        if short and b"\n" not in self._framer.pending:
            self.refuse(f"refused: memory is used up, and the line could not be read {seconds}")
        elif not (self._leaving or self._valve.shut):
            self.refuse(f"invalid request: The line was not completed {seconds}")

    def _drop_the_rest(self) -> None:
        self._leaving = True
        self._framer.clear()

    def _settle(self, *, is_idle: bool = False) -> None:
        if self._told or not (self._leaving or self._ending) or not self._exchanges.empty:
            return
        if is_idle and self._valve.shut:
            return
        self._told = True
        self._drop_the_rest()
        self._valve.turn(shut=False)
        self._closing.tell(at_once=is_idle or self._valve.at_eof)
