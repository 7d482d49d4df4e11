"""Looks up TCP sockets of this host by sock_diag(7): about 10 us per request, without privileges."""

import errno
import os
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from .endpoint import Endpoint
from .netlink import Message, Netlink, Refusal

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_DUMP = 0x300
_NLMSG_DONE = 3
_NO_STATE, _ANY_STATE = 0, 0xFFFFFFFF
_REQUEST = struct.Struct("=BBBxI")
"""The start of struct inet_diag_req_v2: family, protocol, extensions, states."""
_SOCKET_ID = struct.Struct("=2s2s16s16sI8s")
"""struct inet_diag_sockid: ports and addresses in network byte order, interface, cookie."""
_MESSAGE = struct.Struct("=BBxx36xI8s12xII")
"""struct inet_diag_msg: family, state; of its inet_diag_sockid the interface and the cookie; user, inode."""
_DONE = struct.Struct("=i")
PROTOCOL = socket.IPPROTO_TCP
LOOPBACK = 1
"""Index of the interface `lo`, in every network namespace."""
_ANY_COOKIE = b"\xff" * 8
_ESTABLISHED, _FIN_WAIT1, _FIN_WAIT2, _LISTEN = 1, 4, 5, 10
_CONNECTED = frozenset({_ESTABLISHED, _FIN_WAIT1, _FIN_WAIT2})
"""The states (tcp_states.h) that a peer's socket can have while this end of the connection is not closed."""


class SocketInfo(NamedTuple):
    """A socket: the user that created it, and whether a process has it open (then its inode is not 0)."""

    state: int
    user: int
    inode: int
    interface: int
    """Index of the interface that it is bound to, 0 for none."""
    cookie: bytes
    """Unique until this host is rebooted."""


class Missing(Enum):
    """Why there is no SocketInfo."""

    ABSENT = auto()
    """There is no such socket."""
    UNKNOWN = auto()
    """The kernel did not say; the socket may or may not exist."""


class SockDiag:
    """Looks up sockets over one netlink socket, which is opened by `open` or by the first request."""

    def __init__(self) -> None:
        self._netlink = Netlink(_NETLINK_SOCK_DIAG)

    def open(self) -> None:
        """Open the netlink socket while descriptors are available."""
        self._netlink.open()

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def find(self, source: Endpoint, destination: Endpoint, interface: int) -> SocketInfo | Missing:
        """Return the connected socket from `source` to `destination`, if it is bound to no interface or to this one.

        A socket in SYN-SENT does not count: it is not connected yet, and may reuse the port of an earlier connection.
        """
        found = self._describe(source, destination, interface, _ANY_COOKIE)
        return Missing.ABSENT if isinstance(found, SocketInfo) and found.state not in _CONNECTED else found

    def find_bound(self, source: Endpoint, destination: Endpoint) -> SocketInfo | Missing:
        """As `find`, for a socket bound to any interface (SO_BINDTODEVICE): look-ups for other interfaces miss it."""
        return self._search(lambda interface: self.find(source, destination, interface))

    def find_again(self, source: Endpoint, destination: Endpoint, known: SocketInfo) -> SocketInfo | Missing:
        """Return the current state of a known socket, even if it has been bound to another interface since."""
        found = self._describe(source, destination, known.interface or LOOPBACK, known.cookie)
        if found is not Missing.ABSENT:
            return found
        return self._search(lambda interface: self._describe(source, destination, interface, known.cookie))

    def listener(self, source: Endpoint) -> SocketInfo | Missing:
        """Return the socket that listens on `source`."""
        anywhere = Endpoint(bytes(len(source.address)), 0, 0)
        found = self._describe(source, anywhere, source.interface or LOOPBACK, _ANY_COOKIE)
        return Missing.ABSENT if isinstance(found, SocketInfo) and found.state != _LISTEN else found

    def _search(self, find: Callable[[int], SocketInfo | Missing]) -> SocketInfo | Missing:
        try:
            interfaces = socket.if_nameindex()
        except OSError:
            return Missing.UNKNOWN
        for interface, _ in interfaces:
            found = find(interface)
            if found is not Missing.ABSENT:
                return found
        return Missing.ABSENT

    def _describe(self, source: Endpoint, destination: Endpoint, interface: int, cookie: bytes) -> SocketInfo | Missing:
        match self._netlink.ask(_SOCK_DIAG_BY_FAMILY, _request(source, destination, interface, cookie)):
            case Message(kind, body) if kind == _SOCK_DIAG_BY_FAMILY:
                _, state, bound_to, its_cookie, user, inode = _MESSAGE.unpack_from(body)
                return SocketInfo(state, user, inode, bound_to, its_cookie)
            case Refusal(errno.ESTALE):
                # The cookie differs: another socket has these addresses and ports now.
                return Missing.ABSENT
            case Refusal(errno.ENOENT) if self.refusal() is None:
                return Missing.ABSENT
            case _:
                return Missing.UNKNOWN

    def refusal(self) -> str | None:
        """Return the reason why the kernel does not report TCP sockets at all, None if it does.

        Without the module tcp_diag a look-up fails with ENOENT, as for a socket that does not exist.
        """
        request = _REQUEST.pack(socket.AF_INET, PROTOCOL, 0, _NO_STATE) + bytes(_SOCKET_ID.size)
        match self._netlink.ask(_SOCK_DIAG_BY_FAMILY, request, _NLM_F_DUMP):
            case Message(kind, body) if kind == _NLMSG_DONE and len(body) >= _DONE.size:
                (code,) = _DONE.unpack_from(body)
                return os.strerror(-code) if code else None
            case Refusal(code):
                return os.strerror(code)
            case _:
                return "there is no answer over netlink"


def probe() -> str | None:
    """Return why this system does not report users and disconnects of TCP clients, None if it does."""
    diag = SockDiag()
    try:
        return diag.refusal()
    finally:
        diag.close()


def _request(source: Endpoint, destination: Endpoint, interface: int, cookie: bytes) -> bytes:
    return _REQUEST.pack(source.family, PROTOCOL, 0, _ANY_STATE) + _SOCKET_ID.pack(
        source.port.to_bytes(2, "big"),
        destination.port.to_bytes(2, "big"),
        source.address,
        destination.address,
        interface,
        cookie,
    )
