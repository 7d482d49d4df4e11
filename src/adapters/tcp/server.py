"""Accepts connections on the listening sockets and manages their lifetimes."""

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
"""Upper limit of accepts per wake-up while many rejected clients are closing: served clients wait for that work."""
ACCEPT_PAUSE_SECONDS = 0.1
"""Pause in accepting when the system has no descriptor or memory; meanwhile connections wait in the backlog."""


@dataclass(frozen=True, slots=True)
class AcceptPolicy:
    """Which users are accepted, how many clients at once, and how many per wake-up.

    Several per wake-up, so that the last client of a burst does not wait for the tasks of the first. One where
    several workers share the socket, so that no worker takes a whole burst.
    """

    access: AccessPolicy
    max_connections: int
    accepts_at_once: int
    on_count: Callable[[int], object] = bool
    """Called with the number of connected clients after each change; the default does nothing."""


class StreamServer:
    """Accepts on listening sockets that the caller owns; serves inside `async with`, and closes all on exit."""

    def __init__(self, listeners: Sequence[socket.socket], context: ConnectionContext, policy: AcceptPolicy) -> None:
        self._listeners = listeners
        self._context = context
        self._policy = policy
        # Between `connection_made` and `connection_lost`.
        self._connections: set[Connection] = set()
        # What counts towards `max_connections`: served connections, and those being set up. A set, because after any
        # error the count must be right.
        self._clients: set[Connection] = set()
        # Connections that have been sent everything, and rejected clients.
        self._closing = ClosingClients()
        self._openings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        # New connections are rejected.
        self._shutting_down = False
        # Existing connections are aborted as well.
        self._aborting = False
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        """Start to accept on all listeners."""
        self._loop = loop = asyncio.get_running_loop()
        self._refusals = Refusals(self._context.clock, self._closing)
        self._shortages = RateLimitedLog("cannot accept clients for now", loop.time, loop.call_later)
        self._context.peers.open()
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, even with requests in flight, as if its client had disconnected."""
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
        """Reject new connections with a reason, and close each connection when all its requests are answered."""
        self._shutting_down = True
        for connection in tuple(self._connections):
            connection.shut_down()

    @property
    def unanswered(self) -> int:
        """How many connections have requests in flight."""
        return sum(not connection.idle for connection in self._connections)

    async def wait_closed(self) -> None:
        """Wait until every connection is answered and closed; does not wait for clients that are rejected meanwhile."""
        while self._connections or self._openings:
            self._none_left.clear()
            await self._none_left.wait()

    def _stop_accepting(self) -> None:
        # Accept once more: closing the listener would reset connections in the backlog without a reason.
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
            # Before the transport exists: the event loop reads at once what the client has already sent.
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
                # `connection_made` raised, which the loop has logged; it will not call `connection_lost`.
                self._on_close(connection)
                transport.abort()
        except OSError as error:
            _log.debug("client disconnected before it was served", reason=error.strerror)
            self._drop(client, connection)
        except Exception:  # noqa: BLE001 -- after any error the place of this client must be free again
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
            # Not immediately: uvloop treats an abort inside `connection_made` as an error.
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
