"""Questions to the kernel over netlink(7), one at a time; only what the kernel itself has sent is an answer."""

import contextlib
import secrets
import socket
import struct
from typing import NamedTuple

_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port id."""
_ERROR = struct.Struct("=i")
_KERNEL = 0
"""The kernel's port id, and the multicast groups of an address that has none."""
_REPLY_BYTES = 4096
_NUMBERS = 1 << 32


class Message(NamedTuple):
    """An answer: its type, and what follows its header."""

    kind: int
    body: bytes


class Refusal(NamedTuple):
    """The kernel would not say; `errno` is why."""

    errno: int


class Netlink:
    """One socket of one netlink family, opened when it is needed, and again after anything went wrong with it."""

    def __init__(self, protocol: int) -> None:
        """`protocol` is the family (NETLINK_SOCK_DIAG and so on)."""
        self._protocol = protocol
        self._socket: socket.socket | None = None
        # Random, so that nobody can say the next one.
        self._number = secrets.randbelow(_NUMBERS)

    def open(self) -> None:
        """Open the socket while there are descriptors; where there is none, `ask` tries again."""
        with contextlib.suppress(OSError):
            self._socket = self._open()

    def ask(self, kind: int, body: bytes, flags: int = 0) -> Message | Refusal | None:
        """Send one request and return the answer; None if there was none, or none of the kernel's."""
        self._number = (self._number + 1) % _NUMBERS
        header = _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, self._number, 0)
        try:
            if self._socket is None:
                self._socket = self._open()
            self._socket.send(header + body, socket.MSG_DONTWAIT)
            # The kernel has answered by the time at which it has taken the question.
            reply, (sender, _) = self._socket.recvfrom(_REPLY_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            # Not allowed here, no descriptor left, or an answer that is still to come: to the next question, it would
            # be the wrong one.
            self.close()
            return None
        if sender != _KERNEL or _HEADER.unpack_from(reply)[3] != self._number:
            # Forged, or out of step: what else waits in this socket is no answer to anything that will be asked.
            self.close()
            return None
        return _read(reply)

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self._protocol)
        try:
            # Connected to the kernel, it takes nothing from others, who would else need no more than CAP_NET_ADMIN.
            opened.connect((_KERNEL, _KERNEL))
        except OSError:
            opened.close()
            raise
        return opened


def _read(reply: bytes) -> Message | Refusal:
    _, kind, *_ = _HEADER.unpack_from(reply)
    if kind != _NLMSG_ERROR:
        return Message(kind, reply[_HEADER.size :])
    (code,) = _ERROR.unpack_from(reply, _HEADER.size)
    return Refusal(-code)
