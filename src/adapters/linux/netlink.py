"""Requests to the kernel over netlink(7), one at a time; replies that the kernel did not send are ignored."""

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
"""The kernel's port ID, and the value for no multicast groups."""
_REPLY_BYTES = 4096
_NUMBERS = 1 << 32


class Message(NamedTuple):
    """A reply: its type, and the bytes after its header."""

    kind: int
    body: bytes


class Refusal(NamedTuple):
    """An error reply of the kernel."""

    errno: int


class Netlink:
    """One socket of one netlink family, opened when it is needed, and opened again after an error."""

    def __init__(self, protocol: int) -> None:
        """`protocol` is the family (NETLINK_SOCK_DIAG and so on)."""
        self._protocol = protocol
        self._socket: socket.socket | None = None
        # The sequence number; it starts at random, so that other processes cannot predict it.
        self._number = secrets.randbelow(_NUMBERS)

    def open(self) -> None:
        """Open the socket while descriptors are available; if that fails, `ask` tries again."""
        with contextlib.suppress(OSError):
            self._socket = self._open()

    def ask(self, kind: int, body: bytes, flags: int = 0) -> Message | Refusal | None:
        """Send one request and return the reply; None if there was none, or if the kernel did not send it."""
        self._number = (self._number + 1) % _NUMBERS
        header = _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, self._number, 0)
        try:
            if self._socket is None:
                self._socket = self._open()
            self._socket.send(header + body, socket.MSG_DONTWAIT)
            # The kernel handles the request inside of send(2), so the reply is there.
            reply, (sender, _) = self._socket.recvfrom(_REPLY_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            # Not permitted, no descriptor available, or a late reply, which the next request must not receive.
            self.close()
            return None
        if sender != _KERNEL or _HEADER.unpack_from(reply)[3] != self._number:
            # Forged, or of another request: nothing in this socket's queue is a reply to later requests.
            self.close()
            return None
        return _read(reply)

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self._protocol)
        try:
            # A connected socket receives from the kernel only; otherwise a process with CAP_NET_ADMIN could send to it.
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
