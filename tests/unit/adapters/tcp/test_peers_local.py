"""Which clients are on this host, so that its kernel knows whose they are."""

import errno

import pytest
from netlink import FakeProbe

from execwire.adapters.tcp.peers import Address, Peers

OURS, THEIRS = ("127.0.0.1", 3000), ("127.0.0.1", 50000)
OURS_6, THEIRS_6 = ("::1", 3000), ("::1", 50000)
REMOTE = ("192.0.2.2", 50000)


@pytest.mark.parametrize(
    ("ours", "theirs", "local"),
    [
        (OURS, THEIRS, True),
        (("127.0.0.1", 1), ("127.0.0.2", 2), True),
        (OURS_6, THEIRS_6, True),
        (("192.0.2.1", 1), ("192.0.2.1", 2), True),
        (("192.0.2.1", 1), ("127.0.0.1", 2), True),
        (OURS_6, ("2001:db8::1", 2), True),
        (("192.0.2.1", 1), REMOTE, False),
        (OURS, REMOTE, False),
        (OURS_6, ("2001:db8::2", 2), False),
    ],
)
def test_a_client_is_local_if_its_address_is_one_of_this_hosts(
    monkeypatch: pytest.MonkeyPatch, ours: Address, theirs: Address, *, local: bool
) -> None:
    FakeProbe.install(monkeypatch)
    assert Peers.is_local(ours, theirs) is local


# Hazard 33.
def test_a_client_whose_address_cannot_be_tried_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeProbe.install(monkeypatch, errno.EACCES)
    assert Peers.is_local(OURS, REMOTE)
