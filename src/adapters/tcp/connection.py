"""One client from its first byte to its last: what is read and when, what end-of-file means, how it is let go."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from ...domain.ports import Clock, TaskIntake
from .exchanges import Exchanges, InFlight
from .framing import LineFramer, Oddity
from .liveness import CLOSE_SECONDS, Countdown, Liveness
from .outbox import Exchange, Outbox
from .peers import Peers
from .wire import Incoming, decode_request

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all connections share; `max_line` is bytes, `line_seconds` how long a line may take to arrive."""

    intake: TaskIntake
    clock: Clock
    peers: Peers
    max_line: int
    line_seconds: float
    in_flight: InFlight


class Connection(asyncio.Protocol):
    """Serves one client; asyncio calls it, as asyncio.Protocol says."""

    def __init__(self, surroundings: Surroundings, on_lost: "Callable[[Connection], None]", refusal: str = "") -> None:
        """Prepare. `on_lost` is called at the very end; `refusal` is why this client is not served, if it is not."""
        self._on_lost = on_lost
        self._intake = surroundings.intake
        self._surroundings = surroundings
        self._framer = LineFramer(surroundings.max_line)
        self._exchanges = Exchanges(surroundings.intake, surroundings.clock, surroundings.in_flight)
        # Reading is paused: this client has enough in flight, or the agent has.
        self._paused = False
        # Lines are being taken; what is sent meanwhile needs no second round of it.
        self._taking = False
        # The client has closed its sending side.
        self._at_eof = False
        # Nothing more is taken from this client; it is answered and let go.
        self._leaving = False
        # Everything was answered and the client has been told that there is no more; or nothing can be told yet.
        self._told = True
        # Known before the first byte is taken, which may be there as soon as the transport is.
        self._refusal = refusal
        # Waits for room in the agent while it is full.
        self._room: asyncio.Task[None] | None = None
        # Runs out if a line that has begun to arrive is not completed.
        self._patience = Countdown(surroundings.line_seconds, self._give_up_on_line)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports do not inherit from asyncio's, they only behave like them.
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = self._exchanges.outbox = Outbox(self._transport, self._sent)
        self._liveness = Liveness(self._transport, self._surroundings.peers, lambda: self._paused or self._at_eof)
        self._told = False
        if self._refusal:
            self.refuse(self._refusal)
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whatever still runs for this client is killed, whatever it was to be told is dropped."""
        self._leaving = self._told = True
        self._framer.clear()
        if self._room is not None:
            self._room.cancel()
        self._liveness.stop()
        self._patience.stop()
        if not self._exchanges.empty:
            _log.info("client gone before its answers", error=str(exc or ""))
        self._exchanges.close()
        self._outbox.close()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Take in bytes and start what they ask for."""
        if not self._leaving:
            self._framer.feed(data)
            self._take_lines()

    def eof_received(self) -> bool:
        """Keep the connection open (true) while something that was asked for before is not taken or not answered."""
        self._at_eof = True
        self._take_lines()
        if self._exchanges.empty and not self._paused:
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
        """Say why this client is not served, and close."""
        self._exchanges.refuse(reason)
        self.leave()

    def leave(self) -> None:
        """Take no more requests, answer what was taken, close."""
        self._leaving = True
        self._framer.clear()
        self._settle()

    def abort(self) -> None:
        """Close now, answered or not."""
        self._transport.abort()

    def _sent(self, exchange: Exchange) -> None:
        self._exchanges.sent(exchange)
        if self._paused and not self._taking:
            self._take_lines()
        elif not self._taking:
            self._settle()

    def _take_lines(self) -> None:
        self._taking = True
        blocked = False
        while not self._leaving:
            blocked = self._exchanges.full or not self._intake.has_room
            line = None if blocked else self._framer.next_line()
            if line is None:
                break
            self._patience.stop()
            self._take(line)
        if self._framer.has_partial and not blocked and not self._leaving:
            self._patience.start()
        if self._at_eof and not blocked and not self._leaving:
            self._take_last(self._framer.partial)
        self._taking = False
        self._pause(paused=blocked)
        self._settle()

    def _take(self, line: bytes | Oddity) -> None:
        if line is Oddity.TOO_LONG:
            self._exchanges.refuse(f"invalid request: The line is longer than {self._surroundings.max_line} bytes")
        elif line is Oddity.FOREIGN:
            self._leaving = True
            self._framer.clear()
            self._exchanges.refuse("refused: this port takes newline-terminated JSON, neither HTTP nor TLS")
        elif line.strip():
            self._exchanges.take(decode_request(line), len(line))

    def _take_last(self, line: bytes) -> None:
        self._leaving = True
        self._framer.clear()
        if line.strip():
            incoming = decode_request(line)
            if isinstance(incoming, Incoming) or incoming.is_object:
                self._exchanges.take(incoming, len(line))

    def _give_up_on_line(self) -> None:
        if not self._leaving and not self._paused:
            self.refuse(f"invalid request: The line was not completed within {self._surroundings.line_seconds:g} s")

    def _pause(self, *, paused: bool) -> None:
        if paused and self._room is None and not self._intake.has_room:
            self._room = asyncio.get_running_loop().create_task(self._await_room())
        if paused == self._paused or self._transport.is_closing():
            return
        self._paused = paused
        if not self._at_eof:
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        if paused:
            self._liveness.watch()

    async def _await_room(self) -> None:
        await self._intake.room()
        self._room = None
        self._take_lines()

    def _settle(self) -> None:
        if self._told or not self._leaving or not self._exchanges.empty:
            return
        self._told = True
        if self._at_eof or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._pause(paused=False)
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.close)
