"""Who is at the other end of a local connection, and whether it still is, asked of the kernel."""

import contextlib
import errno
import select
import socket
import struct
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_SOCKET_ID = struct.Struct("!HH16s16s4x8s")
_MESSAGE = struct.Struct("=4B48xIIIII")
_REPLY_BYTES = 4096
_LISTENING = 10
"""TCP_LISTEN of the kernel's tcp_states.h."""

Address: TypeAlias = tuple[str, int]


class Presence(Enum):
    """What the kernel says of a peer."""

    PRESENT = auto()
    """Some process holds the socket; it may have shut down its sending side."""
    GONE = auto()
    """No process does."""
    UNKNOWN = auto()
    """It is on another host, or the kernel would not say."""


class _Answer(NamedTuple):
    user: int
    inode: int


class Peers:
    """Exact `sock_diag(7)` queries over one netlink socket: about 10 us each, unprivileged, no table scan."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._netlink: socket.socket | None = None
        self._questions = 0

    def open(self) -> None:
        """Open the netlink socket while there are descriptors; as long as there is none, nobody knows anybody."""
        with contextlib.suppress(OSError):
            self._netlink = _open()

    def presence(self, ours: Address, theirs: Address) -> Presence:
        """Look up whether the socket whose local address is `theirs` and whose peer is `ours` is still held."""
        answer = self._ask(ours, theirs)
        if answer is None:
            return Presence.UNKNOWN
        return Presence.PRESENT if answer.inode else Presence.GONE

    def user(self, ours: Address, theirs: Address) -> int | None:
        """Return the number of the user who holds that socket; None if nobody does or the kernel would not say.

        For a socket that was closed the kernel says 0, which is root, so the number counts only with an inode.
        """
        answer = self._ask(ours, theirs)
        return answer.user if answer is not None and answer.inode else None

    @staticmethod
    def is_local(ours: Address, theirs: Address) -> bool:
        """Tell whether both ends are on this host, so that its kernel knows the other one."""
        return ours[0] == theirs[0] or _is_own(theirs[0])

    def _ask(self, ours: Address, theirs: Address) -> _Answer | None:
        if not self.is_local(ours, theirs):
            return None
        self._questions = (self._questions + 1) & 0xFFFFFFFF
        try:
            if self._netlink is None:
                self._netlink = _open()
            self._netlink.send(_query(self._questions, theirs, ours), socket.MSG_DONTWAIT)
            reply = self._netlink.recv(_REPLY_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            # Not allowed here, or no descriptor left: nobody is taken for gone, or let in, on no evidence. An answer
            # that still comes must not be taken for that to the next question.
            self.close()
            return None
        return _read(reply, self._questions)

    def close(self) -> None:
        """Close the netlink socket."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None


def hung_up(connected: socket.socket) -> bool:
    """Tell whether the other end of a Unix socket has been closed, not only half-closed."""
    poll = select.poll()
    poll.register(connected.fileno(), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _open() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)


def _is_own(address: str) -> bool:
    """Tell whether an address is one of this host's, from whichever of them a client has chosen to connect."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        # Anything else says nothing about the address; then it is better to ask the kernel about its user.
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _query(number: int, source: Address, destination: Address) -> bytes:
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    packed = [socket.inet_pton(family, address).ljust(16, b"\0") for address in (source[0], destination[0])]
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE) + _SOCKET_ID.pack(
        source[1], destination[1], *packed, _NO_COOKIE
    )
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, number, 0) + body


def _read(reply: bytes, number: int) -> _Answer | None:
    _, kind, _, answered, _ = _HEADER.unpack_from(reply)
    if answered != number:
        return None
    if kind == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", reply, _HEADER.size)
        return _Answer(0, 0) if -code == errno.ENOENT else None
    _, state, *_, user, inode = _MESSAGE.unpack_from(reply, _HEADER.size)
    # Where there is no such connection, the kernel answers with who listens on that port, if anybody does.
    return _Answer(user, inode) if state != _LISTENING else _Answer(0, 0)
