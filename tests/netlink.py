"""The kernel behind sock_diag(7), and this host's own addresses, as a test says."""

import errno
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

import pytest

from execwire.adapters.tcp.peers import Address

_NUMBER = struct.Struct("=I")
_NUMBER_AT = 8
"""Of nlmsg_seq in struct nlmsghdr."""
ESTABLISHED, LISTENING = 1, 10
OWN = ("127.0.0.1", "127.0.0.2", "192.0.2.1", "::1", "2001:db8::1")


@dataclass
class FakeNetlink:
    """A netlink socket that answers what a test says, to the last question unless it is to be `late`."""

    reply: bytes | OSError = b""
    late: int = 0
    asked: list[bytes] = field(default_factory=list[bytes])
    closed: int = 0

    def send(self, query: bytes, flags: int) -> int:
        assert flags == socket.MSG_DONTWAIT
        self.asked.append(query)
        return len(query)

    def recv(self, size: int, flags: int) -> bytes:
        assert (size >= 4096, flags) == (True, socket.MSG_DONTWAIT)
        if isinstance(self.reply, OSError):
            raise self.reply
        (number,) = _NUMBER.unpack_from(self.asked[-1], _NUMBER_AT)
        return self.reply[:_NUMBER_AT] + _NUMBER.pack(number - self.late) + self.reply[_NUMBER_AT + _NUMBER.size :]

    def close(self) -> None:
        self.closed += 1

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this opened instead of netlink sockets, and a FakeProbe instead of others."""

        def open_socket(family: int, _: int, protocol: int = 0) -> FakeNetlink | FakeProbe:
            if family != socket.AF_NETLINK:
                return FakeProbe(family)
            assert protocol == 4
            return self

        monkeypatch.setattr(socket, "socket", open_socket)


@dataclass
class FakeProbe:
    """A socket that can be bound to this host's addresses, which are a test's."""

    family: int
    refusal: int = errno.EADDRNOTAVAIL

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def bind(self, address: Address) -> None:
        assert address[1] == 0
        assert self.family == (socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if address[0] not in OWN:
            raise OSError(self.refusal, "as a test says")

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch, refusal: int = errno.EADDRNOTAVAIL) -> None:
        """Have such sockets opened; `refusal` is what binding to another host's address comes to."""

        def open_socket(family: int, _: int) -> FakeProbe:
            return cls(family, refusal)

        monkeypatch.setattr(socket, "socket", open_socket)


def answer(user: int, inode: int, state: int = ESTABLISHED) -> bytes:
    """A reply as sock_diag(7) has it: struct nlmsghdr, struct inet_diag_msg."""
    header = struct.pack("=IHHII", 88, 20, 0, 0, 0)
    return header + struct.pack("=BBBB48xIIIII", 2, state, 0, 0, 0, 0, 0, user, inode)


def error(number: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -number)
