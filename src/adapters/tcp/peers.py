"""Identifies the user at the other end of a local connection, and its presence, by what the kernel reports."""

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
    """Whether the kernel reports a peer as connected."""

    PRESENT = auto()
    """Some process has the socket open; it may have shut down its sending side."""
    DISCONNECTED = auto()
    """No process has it open."""
    UNKNOWN = auto()
    """It is on another host, or the kernel does not report it."""


class Peer(Protocol):
    """The other end of one connection, as it was when the connection was accepted."""

    @property
    def user(self) -> int | None:
        """Its user ID; None if the kernel does not know it."""
        ...

    @property
    def attested(self) -> bool:
        """Whether `user` is the user of the process that connected; if not, it is the creator of the socket."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether it is on this host, where the kernel can know its user."""
        ...

    def presence(self) -> Presence:
        """Look up whether a process has its socket open; always UNKNOWN if `identify` did not find that socket."""
        ...


class Peers:
    """Identifies clients, over netlink sockets that all of them share."""

    def __init__(self) -> None:
        self._diag = SockDiag()
        self._routes = Routes()

    def open(self) -> None:
        """Open the socket for look-ups early; without a descriptor for it, peers cannot be identified."""
        self._diag.open()

    def close(self) -> None:
        """Close the netlink sockets."""
        self._diag.close()
        self._routes.close()

    def identify(self, client: socket.socket) -> Peer:
        """Look up the user of a client; raises OSError if the connection has been reset in the meantime."""
        if client.family == socket.AF_UNIX:
            return UnixPeer(client, _unix_user(client))
        name = cast("Name", client.getpeername())
        ours, theirs = endpoint(cast("Name", client.getsockname())), endpoint(name)
        found = self._diag.find(theirs, ours, theirs.interface or LOOPBACK)
        is_local = isinstance(found, SocketInfo) or ours.address == theirs.address or self._routes.is_own(theirs)
        if found is Missing.ABSENT and is_local:
            found = self._diag.find_bound(theirs, ours)
        # Raises if the connection was reset in the meantime. Otherwise it existed during the look-up: what was found is
        # its other end, and not a socket that got the same port afterwards.
        client.getpeername()
        return TcpPeer(self._diag, ours, theirs, found if isinstance(found, SocketInfo) else None, is_local)


@dataclass(frozen=True, slots=True)
class TcpPeer:
    """A peer over TCP; `found` is its socket, if the kernel has found one."""

    diag: SockDiag
    ours: Endpoint
    theirs: Endpoint
    found: SocketInfo | None
    is_local: bool
    attested: bool = False

    @property
    def user(self) -> int | None:
        """As in Peer. For a socket that no process has open the kernel reports user 0, which would be root."""
        return self.found.user if self.found is not None and self.found.inode else None

    def presence(self) -> Presence:
        """As in Peer. The cookie ensures that the reply is about this socket, not about a later one on its port."""
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
    """A peer over a Unix socket, whose user the kernel recorded when it connected (SO_PEERCRED)."""

    connected: socket.socket
    user: int
    attested: bool = True
    is_local: bool = True

    def presence(self) -> Presence:
        """As in Peer. POLLHUP means that it has closed the socket, not only its sending side."""
        poll = select.poll()
        poll.register(self.connected.fileno(), 0)
        hung_up = any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
        return Presence.DISCONNECTED if hung_up else Presence.PRESENT


def _unix_user(client: socket.socket) -> int:
    user: int
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return user
