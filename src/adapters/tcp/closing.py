"""How a connection ends that the agent closes: the client is told, and given a moment to close its own side."""

import asyncio
from collections.abc import Callable

from .closing_clients import CLOSE_SECONDS, DISCARD_BYTES


class Closing:
    """Closes one transport in good order, and bounds what is read of a client of whom nothing is wanted any more."""

    __slots__ = ("_discarded", "_on_fully_sent", "_transport")

    def __init__(self, transport: asyncio.Transport, on_fully_sent: Callable[[], None]) -> None:
        """`on_told` is called when the client has been sent all, and has only to close its side."""
        self._transport = transport
        self._on_fully_sent = on_fully_sent
        self._discarded = 0

    @property
    def is_over_limit(self) -> bool:
        """Whether reading was paused, since the client sends more than it may."""
        return self._discarded > DISCARD_BYTES

    def discard(self, data: bytes) -> bool:
        """Throw away what the client has sent, and read no more past DISCARD_BYTES; return `is_deaf`."""
        self._discarded += len(data)
        if self.is_over_limit and self._transport.is_reading():
            self._transport.pause_reading()
        return self.is_over_limit

    def half_close(self, *, at_once: bool) -> None:
        """Close the sending side; the other one when the client has, or time is up, or `at_once`."""
        if at_once or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        loop = asyncio.get_running_loop()
        loop.call_later(CLOSE_SECONDS, self._transport.close)
        # Not now: what was written last leaves at the end of this turn.
        loop.call_soon(self._notify)

    def _notify(self) -> None:
        if not (self._transport.is_closing() or self._transport.get_write_buffer_size()):
            self._on_fully_sent()
