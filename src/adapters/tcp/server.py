"""The listening socket and the lifetimes of its connections."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import structlog

from ..rate_limited_log import RateLimitedLog
from .access import AccessPolicy
from .closing_clients import ClosingClients
from .connection import Connection
from .context import ConnectionContext
from .peers import Peer
from .refusals import STOPPING, Refusals

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

FULL = "refused: all {} connections are in use; try again later, or start the agent with a higher --max-connections"
ACCEPTS_WHILE_MANY_CLOSE = 2
"""How many are accepted at one wake-up at most while many are being refused: it is others who wait for that."""
ACCEPT_PAUSE_SECONDS = 0.1
"""How long nobody is accepted when the system has no descriptor or memory for one; clients wait in the backlog."""


@dataclass(frozen=True, slots=True)
class AcceptPolicy:
    """Who is accepted: which users, how many clients at once, and how many are accepted at one wake-up.

    Several in a burst, so that none waits behind the tasks of the first; one where several workers share the socket,
    so that none of them takes a whole burst.
    """

    access: AccessPolicy
    max_connections: int
    accepts_at_once: int
    on_count: Callable[[int], object] = bool
    """Called with the number of connected clients whenever it changes; by default that changes nothing."""


class StreamServer:
    """Accepts on listening sockets that its caller owns; `async with` serves, leaving it closes everything."""

    def __init__(self, listeners: Sequence[socket.socket], context: ConnectionContext, policy: AcceptPolicy) -> None:
        self._listeners = listeners
        self._context = context
        self._policy = policy
        # Those whose connection is made and not lost.
        self._connections: set[Connection] = set()
        # Those who take a place of `max_connections`: served, or their connection is only being made. A set, since
        # whatever goes wrong with a client must not leave the count too high, nor make it too low.
        self._clients: set[Connection] = set()
        # Those who were told the end, or were refused.
        self._closing = ClosingClients()
        self._openings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        # Nobody new is served; then not even the ones who are there.
        self._shutting_down = False
        self._aborting = False
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        """Accept; the listeners take clients from here on."""
        self._loop = loop = asyncio.get_running_loop()
        self._refusals = Refusals(self._context.clock, self._closing)
        self._shortages = RateLimitedLog("cannot accept clients for now", loop.time, loop.call_later)
        self._context.peers.open()
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, answered or not; their tasks are cancelled with that."""
        self._shutting_down = self._aborting = True
        for connection in tuple(self._connections):
            connection.abort()
        await self.wait_closed()
        self._stop_accepting()
        self._closing.abort_all()
        self._refusals.close()
        self._shortages.flush()
        self._context.peers.close()

    def begin_shutdown(self) -> None:
        """Tell new connections why they are not served, and close connections as they have been answered."""
        self._shutting_down = True
        for connection in tuple(self._connections):
            connection.shut_down()

    @property
    def unanswered(self) -> int:
        """How many clients are owed an answer."""
        return sum(not connection.idle for connection in self._connections)

    async def wait_closed(self) -> None:
        """Wait until every client is answered and disconnected; who comes meanwhile is refused and not waited for."""
        while self._connections or self._openings:
            self._none_left.clear()
            await self._none_left.wait()

    def _stop_accepting(self) -> None:
        # A last time: whoever waits in the backlog would be reset without a word.
        for listener in self._listeners:
            if listener not in self._pauses:
                self._loop.remove_reader(listener.fileno())
                self._accept(listener)
        for pause in self._pauses.values():
            pause.cancel()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_WHILE_MANY_CLOSE if self._closing.are_many else self._policy.accepts_at_once):
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listener, error)
                return
            if self._shutting_down:
                self._refusals.refuse(client, STOPPING)
                continue
            opening = self._loop.create_task(self._open(client))
            self._openings.add(opening)
            opening.add_done_callback(self._on_opened)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        self._shortages.warning(reason=error.strerror, clients=len(self._clients))
        self._closing.abort_all()
        self._loop.remove_reader(listener.fileno())
        self._pauses[listener] = self._loop.call_later(ACCEPT_PAUSE_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        del self._pauses[listener]
        self._loop.add_reader(listener.fileno(), self._accept, listener)

    async def _open(self, client: socket.socket) -> None:
        connection: Connection | None = None
        try:
            # Decided before the connection is made: what the client has sent by then is read at once.
            peer = self._context.peers.identify(client)
            if (refusal := self._refusal(peer)) is not None:
                self._refusals.refuse(client, refusal)
                return
            client.setblocking(False)  # noqa: FBT003 -- its only form
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self._context, peer, self._on_open, self._on_fully_sent, self._on_close)
            self._clients.add(connection)
            transport, _ = await self._loop.connect_accepted_socket(lambda: connection, client)
            if connection in self._clients and connection not in self._connections:
                # An exception has kept it from being made, which the loop has logged; nobody would say that it is lost.
                self._on_close(connection)
                transport.abort()
        except OSError as error:
            _log.debug("client disconnected before it was served", reason=error.strerror)
            self._drop(client, connection)
        except Exception:  # noqa: BLE001 -- whatever it was, the next client must find its place free
            _log.exception("a client could not be served")
            self._drop(client, connection)

    def _drop(self, client: socket.socket, connection: Connection | None) -> None:
        client.close()
        if connection is not None:
            self._on_close(connection)

    def _on_open(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._policy.on_count(len(self._connections))
        if self._aborting:
            # Not at once: uvloop takes a connection that ends while it is being made for an error.
            self._loop.call_soon(connection.abort)
        elif self._shutting_down:
            connection.reject(STOPPING)

    def _refusal(self, peer: Peer) -> str | None:
        if len(self._clients) >= self._policy.max_connections:
            return FULL.format(self._policy.max_connections)
        return self._policy.access.refusal(peer)

    def _on_fully_sent(self, connection: Connection) -> None:
        self._clients.discard(connection)
        self._closing.add(connection)

    def _on_close(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._policy.on_count(len(self._connections))
        self._clients.discard(connection)
        self._closing.remove(connection)
        self._check_none_left()

    def _on_opened(self, opening: asyncio.Task[None]) -> None:
        self._openings.discard(opening)
        self._check_none_left()

    def _check_none_left(self) -> None:
        if not (self._connections or self._openings):
            self._none_left.set()
