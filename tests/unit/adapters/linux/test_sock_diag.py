"""Whether the system reports users and disconnects of TCP clients."""

import errno
import os

import pytest
from fake_netlink import FakeNetlink, done, error, refuse_sockets

from execwire.adapters.linux import sock_diag
from execwire.adapters.linux.sock_diag import probe

NO_SUCH_PROTOCOL = 254
"""Unassigned, so that the kernel replies as it does for TCP without the module tcp_diag."""


def test_kernel_that_reports_tcp_sockets_passes() -> None:
    assert probe() is None


def test_kernel_without_tcp_diag_fails_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "PROTOCOL", NO_SUCH_PROTOCOL)
    assert probe() == os.strerror(errno.ENOENT)


@pytest.mark.parametrize(
    ("listing", "reason"),
    [(done(), None), (done(errno.ENOENT), errno.ENOENT), (error(errno.EPERM), errno.EPERM)],
)
def test_kernel_passes_only_if_its_reply_is_a_success(
    monkeypatch: pytest.MonkeyPatch, listing: bytes, reason: int | None
) -> None:
    kernel = FakeNetlink(listing=listing)
    kernel.install(monkeypatch)
    assert probe() == (reason and os.strerror(reason))
    assert kernel.closed == 1


def test_missing_netlink_socket_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_sockets(monkeypatch)
    assert probe() == "there is no answer over netlink"
