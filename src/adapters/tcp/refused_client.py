"""A client that is refused when it is accepted: told why, and closed without having had a transport."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from ...domain.output import NO_OUTPUT
from ...domain.task import NO_EXIT_CODE, TaskResult
from ...protocol.results import encode_result
from .closing_clients import CLOSE_SECONDS, DISCARD_BYTES

_DISCARDED = bytearray(DISCARD_BYTES)
"""Where everything goes that refused clients send."""


class RefusedClient:
    """Sends a client its refusal, closes the sending side, and then the rest when the client has closed or time is up.

    Meanwhile at most DISCARD_BYTES of it are read and thrown away: what is left unread at the close makes the kernel
    reset the connection, and a client may lose by it what it was told.
    """

    __slots__ = ("_client", "_left", "_loop", "_on_closed", "_on_judged", "_timer")

    def __init__(
        self,
        client: socket.socket,
        on_judged: Callable[[bool], None],
        on_closed: "Callable[[RefusedClient], None]",
    ) -> None:
        """Own a non-blocking `client`.

        `on_judged` is called once with whether it meant to be served: False for one that closes without having sent a
        byte, as a port probe does. `on_closed` is not called by `abort`.
        """
        self._client = client
        self._on_judged: Callable[[bool], None] | None = on_judged
        self._on_closed = on_closed
        self._left = DISCARD_BYTES
        self._loop = asyncio.get_running_loop()

    @property
    def discarded(self) -> int:
        """How many bytes were read and thrown away."""
        return DISCARD_BYTES - self._left

    def tell(self, reason: str, executed_at: int) -> None:
        """Send one result, which fits into an empty send buffer, and begin to close; OSError: `client` is not owned."""
        line = encode_result(TaskResult((), executed_at, 0.0, NO_EXIT_CODE, NO_OUTPUT, reason), b"", None)
        # If it has disconnected, reading says so.
        with contextlib.suppress(OSError):
            self._client.send(line)
            self._client.shutdown(socket.SHUT_WR)
        self._loop.add_reader(self._client.fileno(), self._discard)
        self._timer = self._loop.call_later(CLOSE_SECONDS, self._close)

    def abort(self) -> None:
        """Close now; what it has sent is thrown away before, as far as that is allowed."""
        while self._left and self._read():
            pass
        self._loop.remove_reader(self._client.fileno())
        self._timer.cancel()
        self._client.close()
        self._judge(meant=True)

    def _discard(self) -> None:
        if self._read() == 0:
            self._close()
        elif not self._left:
            self._loop.remove_reader(self._client.fileno())

    def _read(self) -> int | None:
        """Return how many bytes there were: 0 at its end, None if there are none yet."""
        try:
            count = self._client.recv_into(_DISCARDED, self._left)
        except BlockingIOError:
            return None
        except OSError:
            count = 0
        self._left -= count
        self._judge(meant=count > 0)
        return count

    def _judge(self, *, meant: bool) -> None:
        if self._on_judged is not None:
            on_judged, self._on_judged = self._on_judged, None
            on_judged(meant)

    def _close(self) -> None:
        self.abort()
        self._on_closed(self)
