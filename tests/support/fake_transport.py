"""A transport without a network: records calls, and implements flow control like a real one."""

import asyncio
import socket
from collections import deque
from types import SimpleNamespace
from typing import Any

ADDRESSES = {"sockname": ("127.0.0.1", 3000), "peername": ("127.0.0.1", 50000)}


class FakeTransport(asyncio.Transport):
    """The connection of a client that a test simulates.

    Data and end-of-file from the client wait while reading is paused. Written data waits while the client does not
    read (`client_reads`); above the high-water mark the protocol's pause_writing() is called. After close() the
    protocol's connection_lost() is called in a later iteration, once the client has read all written data; abort()
    drops unread data.
    """

    def __init__(self, protocol: asyncio.Protocol | None = None, connected: object = None) -> None:
        super().__init__({**ADDRESSES, "socket": connected or SimpleNamespace(family=socket.AF_INET)})
        self.protocol = protocol
        self.written = bytearray()
        self.reading = True
        self.wrote_eof = False
        self.knows_eof = True
        self.closing = False
        self.aborted = False
        self.high_water = 0
        self.client_reads = True
        self.unread = bytearray()
        self._full = False
        self._lost = False
        self._incoming: deque[bytes | None] = deque()

    def deliver(self, data: bytes | None) -> None:
        """Send bytes as the client, or its end-of-file (None)."""
        self._incoming.append(data)
        self._pump()

    def catch_up(self) -> None:
        """Read all waiting data, as the client."""
        self.written += self.unread
        self.unread.clear()
        if self._full and self.protocol is not None:
            self._full = False
            self.protocol.resume_writing()
        self._end()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        self.high_water = high or 0

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        assert not self.wrote_eof, "a write after write_eof()"
        if self.closing:
            return
        self.unread += data
        if self.client_reads:
            self.catch_up()
        elif len(self.unread) > self.high_water and not self._full and self.protocol is not None:
            self._full = True
            self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return self.knows_eof

    def write_eof(self) -> None:
        self.wrote_eof = True

    def is_reading(self) -> bool:
        return self.reading and not self.closing

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True
        asyncio.get_running_loop().call_soon(self._pump)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self._end()

    def abort(self) -> None:
        self.aborted = True
        self.unread.clear()
        self.close()

    def _pump(self) -> None:
        while self._incoming and self.is_reading() and self.protocol is not None:
            data = self._incoming.popleft()
            if data is not None:
                self.protocol.data_received(data)
            elif not self.protocol.eof_received():
                self.close()

    def _end(self) -> None:
        if self.closing and not self._lost and not self.unread:
            self._lost = True
            asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        if self.protocol is not None:
            self.protocol.connection_lost(None)
