"""A client that is rejected right after accept(2): gets the reason, and is closed without a transport."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from ...domain.output import NO_OUTPUT
from ...domain.task import NO_EXIT_CODE, TaskResult
from ...protocol.results import encode_result
from .closing_clients import CLOSE_SECONDS, DISCARD_BYTES

_DISCARDED = bytearray(DISCARD_BYTES)
"""Buffer for everything that rejected clients send."""


class RefusedClient:
    """Sends a rejection, closes the sending side, and closes fully when the client does or after CLOSE_SECONDS.

    Meanwhile up to DISCARD_BYTES are read and discarded: bytes that are unread at the close make the kernel reset the
    connection, by which the client may lose the rejection.
    """

    __slots__ = ("_client", "_loop", "_on_classified", "_on_closed", "_remaining", "_timer")

    def __init__(
        self,
        client: socket.socket,
        on_classified: Callable[[bool], None],
        on_closed: "Callable[[RefusedClient], None]",
    ) -> None:
        """Own `client`, a non-blocking socket.

        `on_classified` is called once: with False if the client closes without having sent a byte, as a port probe
        does, else with True. `abort` does not call `on_closed`.
        """
        self._client = client
        self._on_classified: Callable[[bool], None] | None = on_classified
        self._on_closed = on_closed
        self._remaining = DISCARD_BYTES
        self._loop = asyncio.get_running_loop()

    @property
    def discarded(self) -> int:
        """How many bytes were read and discarded."""
        return DISCARD_BYTES - self._remaining

    def tell(self, reason: str, executed_at: int) -> None:
        """Send one result, which fits into an empty send buffer, and close; on OSError the caller closes `client`."""
        line = encode_result(TaskResult((), executed_at, 0.0, NO_EXIT_CODE, NO_OUTPUT, reason), b"", None)
        # If it has disconnected, reading reports that.
        with contextlib.suppress(OSError):
            self._client.send(line)
            self._client.shutdown(socket.SHUT_WR)
        self._loop.add_reader(self._client.fileno(), self._discard)
        self._timer = self._loop.call_later(CLOSE_SECONDS, self._close)

    def abort(self) -> None:
        """Close now, after discarding what has arrived, up to the limit."""
        while self._remaining and self._read():
            pass
        self._loop.remove_reader(self._client.fileno())
        self._timer.cancel()
        self._client.close()
        self._classify(is_client=True)

    def _discard(self) -> None:
        if self._read() == 0:
            self._close()
        elif not self._remaining:
            self._loop.remove_reader(self._client.fileno())

    def _read(self) -> int | None:
        """Return the number of bytes read: 0 at end-of-file or after an error, None if there are none yet."""
        try:
            count = self._client.recv_into(_DISCARDED, self._remaining)
        except BlockingIOError:
            return None
        except OSError:
            count = 0
        self._remaining -= count
        self._classify(is_client=count > 0)
        return count

    def _classify(self, *, is_client: bool) -> None:
        if self._on_classified is not None:
            on_classified, self._on_classified = self._on_classified, None
            on_classified(is_client)

    def _close(self) -> None:
        self.abort()
        self._on_closed(self)
