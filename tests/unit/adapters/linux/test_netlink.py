"""Which replies over netlink(7) are accepted, and when the socket is replaced."""

import errno

import pytest
from fake_netlink import FakeNetlink, done, error, refuse_sockets

from execwire.adapters.linux.netlink import Message, Netlink, Refusal

KIND = 20


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeNetlink:
    kernel = FakeNetlink([done()])
    kernel.install(monkeypatch)
    return kernel


def test_replies_and_errors_of_the_kernel_are_returned(kernel: FakeNetlink) -> None:
    netlink = Netlink(4)
    assert netlink.ask(KIND, b"") == Message(3, bytes(4))
    kernel.replies = [error(errno.EPERM)]
    assert netlink.ask(KIND, b"") == Refusal(errno.EPERM)
    assert (kernel.opened, kernel.closed) == (1, 0)


@pytest.mark.parametrize("wrong", ["late", "sender", "failure"])
def test_next_request_uses_a_new_socket_after_any_other_reply(kernel: FakeNetlink, wrong: str) -> None:
    netlink = Netlink(4)
    match wrong:
        case "late":
            kernel.late = 1
        case "sender":
            kernel.sender = 4711
        case _:
            kernel.replies = [BlockingIOError()]
    assert netlink.ask(KIND, b"") is None
    assert (kernel.opened, kernel.closed) == (1, 1)
    kernel.late = kernel.sender = 0
    kernel.replies = [done()]
    assert netlink.ask(KIND, b"") == Message(3, bytes(4))
    assert kernel.opened == 2


def test_first_sequence_number_is_unpredictable(kernel: FakeNetlink) -> None:
    for _ in range(8):
        Netlink(4).ask(KIND, b"")
    numbers = {int.from_bytes(query[8:12], "little") for query in kernel.asked}
    assert len(numbers) == 8
    assert max(numbers) > 2**24


def test_socket_opened_early_is_used_when_no_more_can_be_opened(
    kernel: FakeNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    netlink = Netlink(4)
    netlink.open()
    refuse_sockets(monkeypatch)
    assert netlink.ask(KIND, b"") == Message(3, bytes(4))
    # `open` does not raise if the socket cannot be opened.
    late = Netlink(4)
    late.open()
    assert late.ask(KIND, b"") is None
    assert kernel.closed == 0


def test_close_closes_an_open_socket_once(kernel: FakeNetlink) -> None:
    netlink = Netlink(4)
    netlink.close()
    netlink.open()
    netlink.close()
    netlink.close()
    assert kernel.closed == 1


def test_socket_that_cannot_be_connected_to_the_kernel_is_closed(
    kernel: FakeNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(kernel, "connect", refuse)
    assert Netlink(4).ask(KIND, b"") is None
    assert (kernel.opened, kernel.closed, kernel.asked) == (1, 1, [])
