"""One connection of the fuzz test: its sent data and results, and a poll loop for several connections."""

import select
import socket
import struct
import time
from collections.abc import Callable, Iterable

from .result_format import Result, read_result
from .runner import CheckFailedError

READ_BYTES = 256 * 1024
STUCK_SECONDS = 0.2
_LINGER_NONE = struct.pack("ii", 1, 0)


class Peer:
    """A client that sends any data; `paused` while it does not read."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)  # noqa: FBT003 -- its only form
        self.sent = bytearray()
        self.outgoing = bytearray()
        self.results: list[Result] = []
        self.paused = False
        self.half_closed = False
        self.at_end = False
        self._partial = bytearray()
        self._moved_at = time.monotonic()

    def put(self, data: bytes) -> None:
        """Queue data, which is sent as fast as the agent reads it."""
        self.sent += data
        self.outgoing += b"" if self.at_end else data
        self._moved_at = time.monotonic()

    def half_close(self) -> None:
        """Close the sending side; all queued data must have been sent."""
        self.half_closed = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.at_end = True

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, optionally by a reset."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self.socket.close()

    def wants(self) -> int:
        """Return the events for poll(2); a client that cannot send resumes reading, to avoid a deadlock."""
        if self.outgoing and self.paused and time.monotonic() - self._moved_at > STUCK_SECONDS:
            self.paused = False
        reading = 0 if self.paused or self.at_end else select.POLLIN
        return reading | (select.POLLOUT if self.outgoing and not self.at_end else 0)

    def move(self, event: int) -> None:
        """Send and receive what is possible without blocking."""
        try:
            if event & select.POLLOUT:
                del self.outgoing[: self.socket.send(self.outgoing[:READ_BYTES])]
                self._moved_at = time.monotonic()
            if event & ~select.POLLOUT and not self.paused:
                self._take(self.socket.recv(READ_BYTES))
        except BlockingIOError:
            return
        except OSError:
            self._end()

    def _take(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        self._partial += data
        if b"\n" in data:
            *lines, incomplete = self._partial.split(b"\n")
            self._partial = bytearray(incomplete)
            self.results += [read_result(bytes(line)) for line in lines]

    def _end(self) -> None:
        self.at_end = True
        self.outgoing.clear()
        if self._partial:
            raise CheckFailedError(f"the agent closed in the middle of a line: {bytes(self._partial[:200])!r}")


def pump(peers: Iterable[Peer], done: Callable[[], bool], seconds: float) -> bool:
    """Send and receive until `done()`; return whether it was true within `seconds`."""
    deadline = time.monotonic() + seconds
    peers = list(peers)
    while not done():
        if time.monotonic() > deadline:
            return False
        poll = select.poll()
        by_number: dict[int, Peer] = {}
        for peer in peers:
            if wanted := peer.wants():
                poll.register(peer.socket, wanted)
                by_number[peer.socket.fileno()] = peer
        for number, event in poll.poll(50):
            by_number[number].move(event)
    return True
