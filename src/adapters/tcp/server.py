"""Accepts connections on the listening sockets and manages their lifetimes."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import structlog

from .acceptor import Acceptor
from .access import AccessPolicy
from .closing_clients import ClosingClients
from .connection import Connection
from .connection_slots import ConnectionSlots, LocalConnectionSlots
from .context import ConnectionContext
from .peers import Peer
from .refusals import STOPPING, Refusals

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

FULL = "refused: all {} connections are in use; try again later, or start the agent with a higher --max-connections"

RETRY_SECONDS = 0.002
MAX_RETRIES = 500
"""Attempts to get a slot of which there are some, but none can be taken at the moment, and the pause between them."""


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
    slots: ConnectionSlots | None = None
    """Of `max_connections`, where other processes share them; None: this process has all of them."""


class StreamServer:
    """Accepts on listening sockets that the caller owns; serves inside `async with`, and closes all on exit."""

    def __init__(self, listeners: Sequence[socket.socket], context: ConnectionContext, policy: AcceptPolicy) -> None:
        self._context = context
        self._policy = policy
        self._slots = policy.slots or LocalConnectionSlots(policy.max_connections)
        # Between `connection_made` and `connection_lost`.
        self._connections: set[Connection] = set()
        # Those that have a slot: served connections, and those being set up. A set, because after any error the number
        # of slots must be right.
        self._clients: set[Connection] = set()
        # Connections that have been sent everything, and rejected clients.
        self._closing = ClosingClients()
        self._openings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        # New connections are rejected.
        self._shutting_down = False
        # Existing connections are aborted as well.
        self._aborting = False
        self._acceptor = Acceptor(
            listeners,
            policy.accepts_at_once,
            self._slots,
            self._closing,
            on_client=self._on_client,
            count=lambda: len(self._clients),
            pending=lambda: len(self._openings),
        )

    async def __aenter__(self) -> Self:
        """Start to accept on all listeners."""
        self._loop = asyncio.get_running_loop()
        self._refusals = Refusals(self._context.clock, self._closing)
        self._context.peers.open()
        self._acceptor.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection, even with requests in flight, as if its client had disconnected."""
        self._shutting_down = self._aborting = True
        for connection in tuple(self._connections):
            connection.abort()
        await self.wait_closed()
        self._acceptor.stop()
        self._closing.abort_all()
        self._refusals.close()
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

    def _on_client(self, client: socket.socket) -> None:
        if self._shutting_down:
            self._refusals.refuse(client, STOPPING)
            return
        opening = self._loop.create_task(self._open(client))
        self._openings.add(opening)
        opening.add_done_callback(self._on_opened)

    async def _open(self, client: socket.socket) -> None:
        connection: Connection | None = None
        try:
            # Before the transport exists: the event loop reads at once what the client has already sent.
            peer = self._context.peers.identify(client)
            refusal = self._policy.access.refusal(peer)
            connection = self._connection_with_slot(peer) if refusal is None else None
            retries = MAX_RETRIES
            while refusal is None and connection is None and retries and not self._slots.is_full():
                await asyncio.sleep(RETRY_SECONDS)
                connection = self._connection_with_slot(peer)
                retries -= 1
            if connection is None:
                self._refusals.refuse(client, refusal or FULL.format(self._policy.max_connections))
                return
            client.setblocking(False)  # noqa: FBT003 -- its only form
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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

    def _connection_with_slot(self, peer: Peer) -> Connection | None:
        """Return a connection that has a slot, which `_give_slot` gives back; None if all slots are taken."""
        if not self._slots.take():
            return None
        try:
            connection = Connection(self._context, peer, self._on_open, self._on_fully_sent, self._on_close)
            self._clients.add(connection)
        except BaseException:
            self._slots.give()
            raise
        return connection

    def _on_fully_sent(self, connection: Connection) -> None:
        self._give_slot(connection)
        self._closing.add(connection)

    def _on_close(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._policy.on_count(len(self._connections))
        self._give_slot(connection)
        self._closing.remove(connection)
        self._check_none_left()

    def _give_slot(self, connection: Connection) -> None:
        if connection in self._clients:
            self._clients.discard(connection)
            self._slots.give()

    def _on_opened(self, opening: asyncio.Task[None]) -> None:
        self._openings.discard(opening)
        self._check_none_left()

    def _check_none_left(self) -> None:
        if not (self._connections or self._openings):
            self._none_left.set()
