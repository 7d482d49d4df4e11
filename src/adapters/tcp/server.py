"""The listening socket and the lifetimes of its connections."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import structlog

from .access import Access
from .connection import Connection
from .peers import Peer
from .surroundings import Surroundings

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

STOPPING = "refused: the agent is stopping; connect again once it is back"
ACCEPT_PAUSE_SECONDS = 0.1
"""How long nobody is accepted when the system has no descriptor or memory for one; clients wait in the backlog."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in: which users, how many clients at once, and how many are accepted at one wake-up.

    Several in a burst, so that none waits behind the tasks of the first; one where several workers share the socket,
    so that none of them takes a whole burst.
    """

    access: Access
    max_connections: int
    accepts_at_once: int


class TcpServer:
    """Accepts on listening sockets that its caller owns; `async with` serves, leaving it closes everything."""

    def __init__(self, listeners: Sequence[socket.socket], surroundings: Surroundings, door: Door) -> None:
        """Serve nobody yet."""
        self._listeners = listeners
        self._surroundings = surroundings
        self._door = door
        self._connections: set[Connection] = set()
        # Clients that were accepted and have not gone, those included whose connection is only being made.
        self._clients = 0
        self._openings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        # Nobody new is served; then not even the ones who are there.
        self._leaving = False
        self._aborting = False
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        """Accept; the listeners take clients from here on."""
        self._loop = asyncio.get_running_loop()
        self._surroundings.peers.open()
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, answered or not; their tasks are cancelled with that."""
        self._aborting = True
        for connection in tuple(self._connections):
            connection.abort()
        await self.answered()
        self._surroundings.peers.close()

    def leave(self) -> None:
        """Turn newcomers away with a word, and close connections as they have been answered."""
        self._leaving = True
        for connection in tuple(self._connections):
            connection.leave()

    @property
    def unanswered(self) -> int:
        """How many clients are owed an answer."""
        return sum(not connection.answered for connection in self._connections)

    async def answered(self) -> None:
        """Accept nobody any more, and wait until every client has its answers and has gone."""
        self._stop_accepting()
        while self._clients:
            self._none_left.clear()
            await self._none_left.wait()

    def _stop_accepting(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
        for pause in self._pauses.values():
            pause.cancel()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(self._door.accepts_at_once):
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listener, error)
                return
            self._clients += 1
            opening = self._loop.create_task(self._open(client, self._clients))
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        if not self._pauses:
            _log.warning("cannot accept clients for now", reason=error.strerror, clients=self._clients)
        self._loop.remove_reader(listener.fileno())
        self._pauses[listener] = self._loop.call_later(ACCEPT_PAUSE_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        del self._pauses[listener]
        self._loop.add_reader(listener.fileno(), self._accept, listener)

    async def _open(self, client: socket.socket, number: int) -> None:
        # With `number` clients, this one included: of a burst, all have been accepted by now.
        try:
            # Decided before the connection is made: what the client has sent by then is read at once.
            peer = self._surroundings.peers.identify(client)
            refusal = self._refusal(peer, number)
            client.setblocking(False)  # noqa: FBT003 -- its only form
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self._surroundings, peer, partial(self._made, refusal), self._lost)
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError as error:
            _log.debug("client gone before it was served", reason=error.strerror)
            client.close()
            self._one_less()

    def _made(self, refusal: str | None, connection: Connection) -> None:
        self._connections.add(connection)
        if self._aborting:
            # Not at once: uvloop takes a connection that ends while it is being made for an error.
            self._loop.call_soon(connection.abort)
        elif self._leaving:
            connection.refuse(STOPPING)
        elif refusal is not None:
            _log.warning("client refused", reason=refusal)
            connection.refuse(refusal)

    def _refusal(self, peer: Peer, number: int) -> str | None:
        if number > self._door.max_connections:
            return f"refused: {self._door.max_connections} clients are connected; --max-connections allows more"
        return self._door.access.refusal(peer)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._one_less()

    def _one_less(self) -> None:
        self._clients -= 1
        if not self._clients:
            self._none_left.set()
