"""Requests to the kernel about a client, and what the replies mean, with a fake kernel."""

import errno
import socket
import struct
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
    """An accepted TCP client; after `stays` calls of getpeername it has been reset."""

    def __init__(self, name: Name, peer: Name, stays: int = 2) -> None:
        self.family = socket.AF_INET6 if ":" in name[0] else socket.AF_INET
        self._name, self._peer, self._stays = name, peer, stays

    def getsockname(self) -> Name:
        return self._name

    def getpeername(self) -> Name:
        self._stays -= 1
        if self._stays < 0:
            raise OSError(errno.ENOTCONN, "simulated")
        return self._peer


LOOPBACK = ("127.0.0.1", 3000), ("127.0.0.1", 50000)
LOOPBACK_6 = ("::1", 3000, 0, 0), ("::1", 50000, 0, 0)
MAPPED = ("::ffff:127.0.0.1", 3000, 0, 0), ("::ffff:127.0.0.1", 50000, 0, 0)
LINK_LOCAL = ("fe80::1%eth0", 3000, 0, 7), ("fe80::2%eth0", 50000, 0, 7)
OTHER = ("192.0.2.1", 3000), ("192.0.2.2", 50000)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeNetlink:
    kernel = FakeNetlink()
    kernel.install(monkeypatch)
    monkeypatch.setattr(socket, "if_nameindex", lambda: INTERFACES)
    return kernel


def identify(names: tuple[Name, Name] = LOOPBACK, stays: int = 2) -> Peer:
    return Peers().identify(cast("socket.socket", FakeClient(*names, stays)))


@pytest.mark.parametrize("names", [LOOPBACK, LOOPBACK_6, MAPPED, LINK_LOCAL, OTHER])
def test_user_of_an_open_socket_is_known(kernel: FakeNetlink, names: tuple[Name, Name]) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify(names)
    assert (peer.user, peer.is_local, peer.attested) == (1000, True, False)
    assert peer.presence() is Presence.PRESENT


@pytest.mark.parametrize(
    ("replies", "presence"),
    [
        # Hazard 33: for a closed socket the kernel reports user 0.
        ([answer(0, 0, FIN_WAIT2)], Presence.DISCONNECTED),
        ([ABSENT], Presence.UNKNOWN),
        # If there is no such connection, the kernel reports the socket that listens on that port.
        ([answer(1000, 77, LISTENING)], Presence.UNKNOWN),
        # A new connection from the same port is another one, and so is one that both sides have closed.
        ([answer(0, 77, SYN_SENT)], Presence.UNKNOWN),
        ([answer(0, 0, TIME_WAIT)], Presence.UNKNOWN),
        ([error(errno.EPERM)], Presence.UNKNOWN),
        ([BlockingIOError()], Presence.UNKNOWN),
        ([OSError(errno.ENOBUFS, "No buffer space available")], Presence.UNKNOWN),
    ],
)
def test_other_replies_reveal_no_user_and_no_disconnect_of_an_unknown_socket(
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
def test_known_peer_is_disconnected_when_its_socket_is_closed_or_missing(
    kernel: FakeNetlink, reply: bytes | OSError, presence: Presence
) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify()
    kernel.replies = [reply]
    assert peer.presence() is presence
    # The request has the cookie, so that the reply is not about another socket.
    assert all(query[64:72] == COOKIE for query in kernel.asked[1:] if query[6:8] == b"\x01\0")


def test_presence_is_unknown_when_the_kernel_reports_no_tcp_sockets_any_more(kernel: FakeNetlink) -> None:
    kernel.replies = [answer(1000, 77)]
    peer = identify()
    kernel.replies, kernel.listing = [ABSENT], done(errno.ENOENT)
    assert peer.presence() is Presence.UNKNOWN


def test_socket_bound_to_an_interface_is_searched_on_each_one(kernel: FakeNetlink) -> None:
    kernel.replies = [ABSENT, ABSENT, answer(1000, 77, ESTABLISHED, 7)]
    assert identify().user == 1000
    assert [query[60] for query in kernel.asked if query[6:8] == b"\x01\0"] == [1, 1, 7]


def test_link_local_client_is_looked_up_by_its_interface(kernel: FakeNetlink) -> None:
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
        # Hazard 33: an address that cannot be looked up counts as local, since no local client may pass as remote.
        (error(errno.EPERM), True),
        (BlockingIOError(), True),
    ],
)
def test_unknown_client_is_local_if_its_address_belongs_to_this_host(
    kernel: FakeNetlink, reply: bytes | OSError, *, is_local: bool
) -> None:
    kernel.replies = [ABSENT, reply, ABSENT]
    peer = identify(OTHER)
    assert (peer.user, peer.is_local) == (None, is_local)


def test_connection_reset_during_the_look_up_is_an_error(kernel: FakeNetlink) -> None:
    # By then another socket may have its port, and would be mistaken for its other end.
    kernel.replies = [answer(0, 77)]
    with pytest.raises(OSError, match="simulated"):
        identify(stays=1)


@pytest.mark.parametrize(
    ("names", "family"),
    [(LOOPBACK, socket.AF_INET), (LOOPBACK_6, socket.AF_INET6), (MAPPED, socket.AF_INET)],
)
def test_request_is_about_the_socket_at_the_other_end(
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
