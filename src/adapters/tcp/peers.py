"""Who is at the other end of a local connection, and whether it still is: decided by what the kernel says of it."""

import select
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, cast

from ..linux.endpoint import Endpoint, Name, endpoint
from ..linux.routes import Routes
from ..linux.sock_diag import LOOPBACK, Missing, SockDiag, SocketInfo

_CREDENTIALS = struct.Struct("=iII")
"""struct ucred: process, user, group."""


class Presence(Enum):
    """What the kernel says of a peer."""

    PRESENT = auto()
    """Some process holds the socket; it may have shut down its sending side."""
    DISCONNECTED = auto()
    """No process does."""
    UNKNOWN = auto()
    """It is on another host, or the kernel would not say."""


class Peer(Protocol):
    """The other end of one connection, as it was when the connection was accepted."""

    @property
    def user(self) -> int | None:
        """Its user's number; None if the kernel does not know it."""
        ...

    @property
    def attested(self) -> bool:
        """Whether `user` is that of the process that connected; else it is that of whoever created the socket."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether it is on this host, so that the kernel could know its user."""
        ...

    def presence(self) -> Presence:
        """Look up whether it is still held; UNKNOWN, ever, if the kernel has not known it from the start."""
        ...


class Peers:
    """Identifies clients, over netlink sockets that they share."""

    def __init__(self) -> None:
        self._diag = SockDiag()
        self._routes = Routes()

    def open(self) -> None:
        """Open what is needed while there are descriptors; as long as there are none, nobody knows anybody."""
        self._diag.open()

    def close(self) -> None:
        """Close it."""
        self._diag.close()
        self._routes.close()

    def identify(self, client: socket.socket) -> Peer:
        """Look up who has connected; raises OSError for a client whose connection has been reset by now."""
        if client.family == socket.AF_UNIX:
            return UnixPeer(client, _unix_user(client))
        name = cast("Name", client.getpeername())
        ours, theirs = endpoint(cast("Name", client.getsockname())), endpoint(name)
        found = self._diag.find(theirs, ours, theirs.interface or LOOPBACK)
        is_local = isinstance(found, SocketInfo) or ours.address == theirs.address or self._routes.is_own(theirs)
        if found is Missing.ABSENT and is_local:
            found = self._diag.find_bound(theirs, ours)
        # A connection that has been reset meanwhile has no name. One that has it still was this very connection during
        # the look-up: what was found is its other end, and not somebody's who has got the port since.
        client.getpeername()
        return TcpPeer(self._diag, ours, theirs, found if isinstance(found, SocketInfo) else None, is_local)


@dataclass(frozen=True, slots=True)
class TcpPeer:
    """A peer over TCP, and the socket that the kernel has `found` for it, if it has."""

    diag: SockDiag
    ours: Endpoint
    theirs: Endpoint
    found: SocketInfo | None
    is_local: bool
    attested: bool = False

    @property
    def user(self) -> int | None:
        """As Peer has it. Of a socket that nobody holds the kernel says 0, which would be root."""
        return self.found.user if self.found is not None and self.found.inode else None

    def presence(self) -> Presence:
        """As Peer has it. The cookie makes sure that it is about this socket, not about its successor."""
        if self.found is None:
            return Presence.UNKNOWN
        match self.diag.find_again(self.theirs, self.ours, self.found):
            case SocketInfo() as found:
                return Presence.PRESENT if found.inode else Presence.DISCONNECTED
            case Missing.ABSENT:
                return Presence.DISCONNECTED
            case Missing.UNKNOWN:
                return Presence.UNKNOWN


@dataclass(frozen=True, slots=True)
class UnixPeer:
    """A peer over a Unix socket, whose user the kernel took down when it connected."""

    connected: socket.socket
    user: int
    attested: bool = True
    is_local: bool = True

    def presence(self) -> Presence:
        """As Peer has it: a hang-up says that it has closed, not only half-closed."""
        poll = select.poll()
        poll.register(self.connected.fileno(), 0)
        hung_up = any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
        return Presence.DISCONNECTED if hung_up else Presence.PRESENT


def _unix_user(client: socket.socket) -> int:
    user: int
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return user
