"""What is asked of the kernel about a peer, and what its answers mean, without asking it."""

import errno
import socket
import struct
from collections.abc import Callable

import pytest
from netlink import LISTENING, FakeNetlink, answer, error

from execwire.adapters.tcp.peers import Address, Peers, Presence

OURS, THEIRS = ("127.0.0.1", 3000), ("127.0.0.1", 50000)
OURS_6, THEIRS_6 = ("::1", 3000), ("::1", 50000)
REMOTE = ("192.0.2.2", 50000)

Answering = Callable[[bytes | OSError], tuple[Peers, FakeNetlink]]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Peers, and the kernel behind them, which always answers the same."""

    def answering(reply: bytes | OSError) -> tuple[Peers, FakeNetlink]:
        netlink = FakeNetlink(reply)

        netlink.install(monkeypatch)
        return Peers(), netlink

    return answering


@pytest.mark.parametrize(
    ("reply", "presence", "user"),
    [
        (answer(1000, 77), Presence.PRESENT, 1000),
        (answer(0, 77), Presence.PRESENT, 0),
        # Hazard 33: of a socket that was closed the kernel says that it is root's.
        (answer(0, 0), Presence.GONE, None),
        (error(errno.ENOENT), Presence.GONE, None),
        # Where there is no such connection it is about whoever listens on that port.
        (answer(1000, 77, LISTENING), Presence.GONE, None),
        (error(errno.EPERM), Presence.UNKNOWN, None),
        (BlockingIOError(), Presence.UNKNOWN, None),
        (OSError(errno.ENOBUFS, "No buffer space available"), Presence.UNKNOWN, None),
    ],
)
@pytest.mark.parametrize("ends", [(OURS, THEIRS), (OURS_6, THEIRS_6)])
def test_what_the_kernel_says_decides(
    peers: Answering, reply: bytes | OSError, presence: Presence, user: int | None, ends: tuple[Address, Address]
) -> None:
    asked, _ = peers(reply)
    assert asked.presence(*ends) is presence
    assert asked.user(*ends) == user


@pytest.mark.parametrize(
    ("ours", "theirs", "family"), [(OURS, THEIRS, socket.AF_INET), (OURS_6, THEIRS_6, socket.AF_INET6)]
)
def test_the_question_is_about_the_socket_at_the_other_end(
    peers: Answering, ours: Address, theirs: Address, family: int
) -> None:
    asked, netlink = peers(answer(1, 1))
    asked.presence(ours, theirs)
    [query] = netlink.asked
    length, kind, flags = struct.unpack_from("=IHH", query)
    assert (length, kind, flags) == (len(query), 20, 1)
    assert (query[16], query[17]) == (family, socket.IPPROTO_TCP)
    assert struct.unpack_from("!HH", query, 24) == (theirs[1], ours[1])
    assert query[28:44] == socket.inet_pton(family, theirs[0]).ljust(16, b"\0")
    assert query[44:60] == socket.inet_pton(family, ours[0]).ljust(16, b"\0")


def test_of_other_hosts_the_kernel_is_not_asked(peers: Answering) -> None:
    asked, netlink = peers(answer(1000, 77))
    assert asked.presence(("192.0.2.1", 3000), REMOTE) is Presence.UNKNOWN
    assert asked.user(("192.0.2.1", 3000), REMOTE) is None
    assert netlink.asked == []


def test_an_answer_to_an_earlier_question_says_nothing(peers: Answering) -> None:
    asked, netlink = peers(answer(1000, 77))
    netlink.late = 1
    assert asked.presence(OURS, THEIRS) is Presence.UNKNOWN
    assert asked.user(OURS, THEIRS) is None


# Hazard 15.
def test_after_a_failure_the_next_question_goes_through_a_new_socket(peers: Answering) -> None:
    asked, netlink = peers(BlockingIOError())
    asked.presence(OURS, THEIRS)
    assert netlink.closed == 1
    netlink.reply = answer(1000, 77)
    assert asked.presence(OURS, THEIRS) is Presence.PRESENT


# Hazard 15.
def test_without_a_socket_to_ask_through_nobody_is_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Peers().presence(OURS, THEIRS) is Presence.UNKNOWN


def test_what_was_opened_in_time_is_asked_through_when_nothing_more_can_be_opened(
    peers: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = peers(answer(1000, 77))
    asked.open()

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    assert asked.user(OURS, THEIRS) == 1000
    # That it cannot be opened in time is no failure to start.
    Peers().open()


def test_closing_closes_what_was_opened_once(peers: Answering) -> None:
    asked, netlink = peers(answer(1, 1))
    asked.close()
    assert netlink.closed == 0
    asked.presence(OURS, THEIRS)
    asked.close()
    asked.close()
    assert netlink.closed == 1
