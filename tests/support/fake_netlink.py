"""A fake netlink(7) socket with the replies that a test sets."""

import errno
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

_NUMBER = struct.Struct("=I")
_NUMBER_AT = 8
"""The offset of nlmsg_seq in struct nlmsghdr."""
_FLAGS = struct.Struct("=H")
_FLAGS_AT = 6
_DUMP = 0x300
ESTABLISHED, SYN_SENT, FIN_WAIT2, TIME_WAIT, LISTENING = 1, 2, 5, 6, 10
COOKIE = b"a cookie"


@dataclass
class FakeNetlink:
    """A netlink socket that returns the next of `replies`; the last one is returned repeatedly.

    Dump queries get `listing`. A reply has the sequence number of the last query minus `late`.
    """

    replies: list[bytes | OSError] = field(default_factory=list[bytes | OSError])
    listing: bytes = b""
    late: int = 0
    sender: int = 0
    asked: list[bytes] = field(default_factory=list[bytes])
    closed: int = 0
    opened: int = 0
    KERNEL: ClassVar[tuple[int, int]] = (0, 0)

    def connect(self, address: tuple[int, int]) -> None:
        assert address == self.KERNEL

    def send(self, query: bytes, flags: int) -> int:
        assert flags == socket.MSG_DONTWAIT
        self.asked.append(query)
        return len(query)

    def recvfrom(self, size: int, flags: int) -> tuple[bytes, tuple[int, int]]:
        assert (size >= 4096, flags) == (True, socket.MSG_DONTWAIT)
        query = self.asked[-1]
        (wanted,) = _FLAGS.unpack_from(query, _FLAGS_AT)
        reply = (self.listing or done()) if wanted & _DUMP else self._next()
        if isinstance(reply, OSError):
            raise reply
        (number,) = _NUMBER.unpack_from(query, _NUMBER_AT)
        number = _NUMBER.pack((number - self.late) % 2**32)
        return reply[:_NUMBER_AT] + number + reply[_NUMBER_AT + _NUMBER.size :], (self.sender, 0)

    def _next(self) -> bytes | OSError:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def close(self) -> None:
        self.closed += 1

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace netlink sockets by this one."""

        def open_socket(family: int, *_: object) -> FakeNetlink:
            assert family == socket.AF_NETLINK
            self.opened += 1
            return self

        monkeypatch.setattr(socket, "socket", open_socket)


def refuse_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let socket() fail for lack of descriptors."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", refuse)


def answer(user: int, inode: int, state: int = ESTABLISHED, interface: int = 0) -> bytes:
    """Return a reply of sock_diag(7): struct nlmsghdr, struct inet_diag_msg."""
    body = struct.pack("=BBBB36xI8s", 2, state, 0, 0, interface, COOKIE) + struct.pack("=IIIII", 0, 0, 0, user, inode)
    return _message(20, body)


def route(kind: int) -> bytes:
    """Return a reply of rtnetlink(7): struct nlmsghdr, struct rtmsg; `kind` is 1 for unicast, 2 for local."""
    return _message(24, struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 255, 0, 0, kind, 0))


def error(number: int) -> bytes:
    return _message(2, struct.pack("=i16x", -number))


def done(number: int = 0) -> bytes:
    """Return the end of a dump, with an error number if the dump failed."""
    return _message(3, struct.pack("=i", -number))


def _message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body
