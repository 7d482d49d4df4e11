"""Orderly close by the agent: half-close first, so that the client reads everything and closes its own side."""

import asyncio
from collections.abc import Callable

from .closing_clients import CLOSE_SECONDS, DISCARD_BYTES


class Closing:
    """Closes one transport in good order, and limits how much is read from its client in the meantime."""

    __slots__ = ("_discarded", "_on_fully_sent", "_transport")

    def __init__(self, transport: asyncio.Transport, on_fully_sent: Callable[[], None]) -> None:
        """`on_fully_sent` is called when the client has been sent everything, and only has to close its side."""
        self._transport = transport
        self._on_fully_sent = on_fully_sent
        self._discarded = 0

    @property
    def is_over_limit(self) -> bool:
        """Whether the client has sent more than DISCARD_BYTES, after which reading is paused."""
        return self._discarded > DISCARD_BYTES

    def discard(self, data: bytes) -> bool:
        """Discard what the client has sent, and pause reading past DISCARD_BYTES; return `is_over_limit`."""
        self._discarded += len(data)
        if self.is_over_limit and self._transport.is_reading():
            self._transport.pause_reading()
        return self.is_over_limit

    def half_close(self, *, at_once: bool) -> None:
        """Close the sending side; close fully when the client closes, after CLOSE_SECONDS, or now if `at_once`."""
        if at_once or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        loop = asyncio.get_running_loop()
        loop.call_later(CLOSE_SECONDS, self._transport.close)
        # Later: the transport sends the last write at the end of this event-loop iteration.
        loop.call_soon(self._notify)

    def _notify(self) -> None:
        if not (self._transport.is_closing() or self._transport.get_write_buffer_size()):
            self._on_fully_sent()
