"""The listening socket and the lifetimes of its connections."""

import asyncio
import socket
from typing import Self

import structlog

from .connection import Connection, Surroundings

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

BACKLOG = 1024
ACCEPTS_AT_ONCE = 64
"""Accepted at one wake-up, so that a burst of clients is not served one at a time behind the first ones' tasks."""
ACCEPT_PAUSE_SECONDS = 0.1
"""How long nobody is accepted when the system has no descriptor or memory for one; clients wait in the backlog."""


def open_listener(host: str, port: int) -> socket.socket:
    """Bind and listen on `host` (a name or an address) and `port` (0 takes a free one); raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        # Without it, the address stays taken for a minute after a restart.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `host:port` as people write it."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class TcpServer:
    """Accepts on a listening socket that its caller owns; `async with` serves, leaving it closes everything."""

    def __init__(self, listener: socket.socket, surroundings: Surroundings) -> None:
        """Serve nobody yet."""
        self._listener = listener
        self._surroundings = surroundings
        self._connections: set[Connection] = set()
        self._openings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        self._leaving = False
        self._pause: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        """Accept; the listener takes clients from here on."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener.fileno(), self._accept)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, answered or not; their tasks are cancelled with that."""
        self._stop_accepting()
        for connection in tuple(self._connections):
            connection.abort()
        await self._closed()
        self._surroundings.peers.close()

    def leave(self) -> None:
        """Accept nobody, take no further requests; connections close as they have been answered."""
        self._stop_accepting()
        for connection in tuple(self._connections):
            connection.leave()

    async def answered(self, seconds: float) -> int:
        """Wait until every client has its answers, up to `seconds`; return how many clients have not."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed()
        except TimeoutError:
            return len(self._connections)
        return 0

    def _stop_accepting(self) -> None:
        self._leaving = True
        self._loop.remove_reader(self._listener.fileno())
        if self._pause is not None:
            self._pause.cancel()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("cannot accept a client", reason=error.strerror, connections=len(self._connections))
                self._loop.remove_reader(self._listener.fileno())
                self._pause = self._loop.call_later(
                    ACCEPT_PAUSE_SECONDS, self._loop.add_reader, self._listener.fileno(), self._accept
                )
                return
            opening = self._loop.create_task(self._open(client))
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    async def _open(self, client: socket.socket) -> None:
        connection = Connection(self._surroundings, self._lost)
        self._connections.add(connection)
        try:
            client.setblocking(False)  # noqa: FBT003 -- its only form
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError as error:
            _log.debug("client gone before it was served", reason=error.strerror)
            client.close()
            self._lost(connection)
            return
        if self._leaving:
            connection.leave()

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._none_left.set()

    async def _closed(self) -> None:
        while self._connections:
            self._none_left.clear()
            await self._none_left.wait()
