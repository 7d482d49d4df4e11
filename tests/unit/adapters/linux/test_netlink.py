"""Which answer to a question over netlink(7) counts, and what becomes of the socket when none does."""

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


def test_an_answer_and_a_refusal_of_the_kernel_count(kernel: FakeNetlink) -> None:
    netlink = Netlink(4)
    assert netlink.ask(KIND, b"") == Message(3, bytes(4))
    kernel.replies = [error(errno.EPERM)]
    assert netlink.ask(KIND, b"") == Refusal(errno.EPERM)
    assert (kernel.opened, kernel.closed) == (1, 0)


@pytest.mark.parametrize("wrong", ["late", "sender", "failure"])
def test_after_anything_else_the_next_question_goes_through_a_new_socket(kernel: FakeNetlink, wrong: str) -> None:
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


def test_nobody_can_say_the_number_of_the_first_question(kernel: FakeNetlink) -> None:
    for _ in range(8):
        Netlink(4).ask(KIND, b"")
    numbers = {int.from_bytes(query[8:12], "little") for query in kernel.asked}
    assert len(numbers) == 8
    assert max(numbers) > 2**24


def test_what_was_opened_in_time_is_asked_through_when_nothing_more_can_be_opened(
    kernel: FakeNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    netlink = Netlink(4)
    netlink.open()
    refuse_sockets(monkeypatch)
    assert netlink.ask(KIND, b"") == Message(3, bytes(4))
    # That it cannot be opened in time is no failure to start.
    late = Netlink(4)
    late.open()
    assert late.ask(KIND, b"") is None
    assert kernel.closed == 0


def test_closing_closes_what_was_opened_once(kernel: FakeNetlink) -> None:
    netlink = Netlink(4)
    netlink.close()
    netlink.open()
    netlink.close()
    netlink.close()
    assert kernel.closed == 1


def test_a_socket_that_cannot_be_connected_to_the_kernel_is_closed(
    kernel: FakeNetlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(kernel, "connect", refuse)
    assert Netlink(4).ask(KIND, b"") is None
    assert (kernel.opened, kernel.closed, kernel.asked) == (1, 1, [])
