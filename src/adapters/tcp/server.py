"""The listening socket and the lifetimes of its connections."""

import asyncio
import socket
from typing import Self

from .connection import Connection, Surroundings

BACKLOG = 1024


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
        self._empty = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Accept; the listener takes clients from here on."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, sock=self._listener, backlog=BACKLOG)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, answered or not, and see their tasks killed."""
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._closed()
        self._surroundings.peers.close()

    def leave(self) -> None:
        """Accept nobody, take no further requests; connections close as they have been answered."""
        self._server.close()
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

    def _accept(self) -> Connection:
        connection = Connection(self._surroundings, self._lost)
        self._connections.add(connection)
        return connection

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def _closed(self) -> None:
        while self._connections:
            self._empty.clear()
            await self._empty.wait()


