"""Whether the system tells users and ends of TCP clients at all."""

import errno
import os

import pytest
from fake_netlink import FakeNetlink, done, error, refuse_sockets

from execwire.adapters.linux import sock_diag
from execwire.adapters.linux.sock_diag import probe

NO_SUCH_PROTOCOL = 254
"""Unassigned, so that the kernel answers as it does for TCP where it has no tcp_diag."""


def test_a_kernel_that_describes_its_sockets_passes() -> None:
    assert probe() is None


def test_a_kernel_that_cannot_describe_them_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "PROTOCOL", NO_SUCH_PROTOCOL)
    assert probe() == os.strerror(errno.ENOENT)


@pytest.mark.parametrize(
    ("listing", "reason"),
    [(done(), None), (done(errno.ENOENT), errno.ENOENT), (error(errno.EPERM), errno.EPERM)],
)
def test_whatever_the_kernel_answers_is_no_passing_unless_it_says_so(
    monkeypatch: pytest.MonkeyPatch, listing: bytes, reason: int | None
) -> None:
    kernel = FakeNetlink(listing=listing)
    kernel.install(monkeypatch)
    assert probe() == (reason and os.strerror(reason))
    assert kernel.closed == 1


def test_without_a_socket_to_ask_through_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_sockets(monkeypatch)
    assert probe() == "there is no answer over netlink"
