"""What is asked of the kernel about a client, and what its answers mean, without asking it."""

import errno
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest
from fake_netlink import (
    COOKIE,
    ESTABLISHED,
    FIN_WAIT2,
    LISTENING,
    SYN_SENT,
    TIME_WAIT,
    FakeNetlink,
    answer,
    done,
    error,
    route,
)

from execwire.adapters.linux.endpoint import Name
from execwire.adapters.tcp.peers import Peer, Peers, Presence

INTERFACES = [(1, "lo"), (7, "eth0")]
ABSENT = error(errno.ENOENT)
LOCAL, ELSEWHERE = route(2), route(1)


class FakeClient:
    """A TCP client that has been accepted; after `stays` looks at its name, it has been reset."""

    def __init__(self, name: Name, peer: Name, stays: int = 2) -> None:
        self.family = socket.AF_INET6 if ":" in name[0] else socket.AF_INET
        self._name, self._peer, self._stays = name, peer, stays

    def getsockname(self) -> Name:
        return self._name

    def getpeername(self) -> Name:
        self._stays -= 1
        if self._stays < 0:
            raise OSError(errno.ENOTCONN, "as a test says")
        return self._peer


LOOPBACK = ("127.0.0.1", 3000), ("127.0.0.1", 50000)
LOOPBACK_6 = ("::1", 3000, 0, 0), ("::1", 50000, 0, 0)
MAPPED = ("::ffff:127.0.0.1", 3000, 0, 0), ("::ffff:127.0.0.1", 50000, 0, 0)
LINK_LOCAL = ("fe80::1%eth0", 3000, 0, 7), ("fe80::2%eth0", 50000, 0, 7)
OTHER = ("192.0.2.1", 3000), ("192.0.2.2", 50000)

Identifying = Callable[..., Peer]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeNetlink:
    kernel = FakeNetlink()
    kernel.install(monkeypatch)
    monkeypatch.setattr(socket, "if_nameindex", lambda: INTERFACES)
    return kernel


def identify(names: tuple[Name, Name] = LOOPBACK, stays: int = 2) -> Peer:
    return Peers().identify(cast("socket.socket", FakeClient(*names, stays)))


@pytest.mark.parametrize("names", [LOOPBACK, LOOPBACK_6, MAPPED, LINK_LOCAL, OTHER])
def test_the_user_of_a_socket_that_a_process_holds_is_known(kernel: FakeNetlink, names: tuple[Name, Name]) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify(names)
    assert (peer.user, peer.is_local, peer.attested) == (1000, True, False)
    assert peer.presence() is Presence.PRESENT


@pytest.mark.parametrize(
    ("replies", "presence"),
    [
        # Hazard 33: of a socket that was closed the kernel says that it is root's.
        ([answer(0, 0, FIN_WAIT2)], Presence.DISCONNECTED),
        ([ABSENT], Presence.UNKNOWN),
        # Where there is no such connection it is about whoever listens on that port.
        ([answer(1000, 77, LISTENING)], Presence.UNKNOWN),
        # A new connection from the same port is none of this one's, nor is one that is over on both sides.
        ([answer(0, 77, SYN_SENT)], Presence.UNKNOWN),
        ([answer(0, 0, TIME_WAIT)], Presence.UNKNOWN),
        ([error(errno.EPERM)], Presence.UNKNOWN),
        ([BlockingIOError()], Presence.UNKNOWN),
        ([OSError(errno.ENOBUFS, "No buffer space available")], Presence.UNKNOWN),
    ],
)
def test_nothing_else_tells_a_user_nor_that_a_peer_that_was_never_known_has_gone(
    kernel: FakeNetlink, replies: list[bytes | OSError], presence: Presence
) -> None:
    kernel.replies = replies
    peer = identify()
    assert (peer.user, peer.presence()) == (None, presence)


@pytest.mark.parametrize(
    ("reply", "presence"),
    [
        (answer(1000, 77), Presence.PRESENT),
        (answer(0, 0, FIN_WAIT2), Presence.DISCONNECTED),
        (error(errno.ENOENT), Presence.DISCONNECTED),
        (error(errno.ESTALE), Presence.DISCONNECTED),
        (error(errno.EPERM), Presence.UNKNOWN),
        (BlockingIOError(), Presence.UNKNOWN),
    ],
)
def test_a_peer_that_was_known_is_gone_when_the_kernel_knows_that_socket_no_longer(
    kernel: FakeNetlink, reply: bytes | OSError, presence: Presence
) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify()
    kernel.replies = [reply]
    assert peer.presence() is presence
    # It is asked for by its cookie, so that no other socket can stand for it.
    assert all(query[64:72] == COOKIE for query in kernel.asked[1:] if query[6:8] == b"\x01\0")


def test_where_the_kernel_describes_no_tcp_sockets_any_more_nobody_is_taken_for_gone(kernel: FakeNetlink) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify()
    kernel.replies, kernel.listing = [ABSENT], done(errno.ENOENT)
    assert peer.presence() is Presence.UNKNOWN


def test_a_socket_that_is_bound_to_an_interface_is_looked_for_on_each(kernel: FakeNetlink) -> None:
    kernel.replies = [ABSENT, ABSENT, answer(1000, 77, ESTABLISHED, 7)]
    assert identify().user == 1000
    assert [query[60] for query in kernel.asked if query[6:8] == b"\x01\0"] == [1, 1, 7]


def test_a_link_local_client_is_looked_up_by_its_interface(kernel: FakeNetlink) -> None:
    kernel.replies = [answer(1000, 77)]
    identify(LINK_LOCAL)
    [query] = kernel.asked
    assert query[60:64] == struct.pack("=I", 7)


@pytest.mark.parametrize(
    ("reply", "is_local"),
    [
        (LOCAL, True),
        (ELSEWHERE, False),
        (error(errno.ENETUNREACH), False),
        # Hazard 33: whose address cannot be asked about is treated as local, since nobody may pass for remote.
        (error(errno.EPERM), True),
        (BlockingIOError(), True),
    ],
)
def test_a_client_that_is_not_known_is_local_if_its_address_is_one_of_this_hosts(
    kernel: FakeNetlink, reply: bytes | OSError, *, is_local: bool
) -> None:
    kernel.replies = [ABSENT, reply, ABSENT]
    peer = identify(OTHER)
    assert (peer.user, peer.is_local) == (None, is_local)


def test_a_connection_that_is_reset_during_the_look_up_is_nobodys(kernel: FakeNetlink) -> None:
    # By then somebody else may have its port, and would be taken for its other end.
    kernel.replies = [answer(0, 77)]
    with pytest.raises(OSError, match="as a test says"):
        identify(stays=1)


@pytest.mark.parametrize(
    ("names", "family"),
    [(LOOPBACK, socket.AF_INET), (LOOPBACK_6, socket.AF_INET6), (MAPPED, socket.AF_INET)],
)
def test_the_question_is_about_the_socket_at_the_other_end(
    kernel: FakeNetlink, names: tuple[Name, Name], family: socket.AddressFamily
) -> None:
    kernel.replies = [answer(1, 1)]
    identify(names)
    [query] = kernel.asked
    ours, theirs = (socket.inet_pton(family, name[0].removeprefix("::ffff:")).ljust(16, b"\0") for name in names)
    length, kind, flags = struct.unpack_from("=IHH", query)
    assert (length, kind, flags) == (len(query), 20, 1)
    assert (query[16], query[17]) == (family, socket.IPPROTO_TCP)
    assert struct.unpack_from("!HH", query, 24) == (50000, 3000)
    assert (query[28:44], query[44:60]) == (theirs, ours)
