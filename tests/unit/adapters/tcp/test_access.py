"""Hazard 33: who is let in, for every kind of client, with what the kernel says of it."""

import os
import socket
import struct
from dataclasses import dataclass
from typing import cast

import pytest
from fakes import FakePeers

from execwire.adapters.tcp.access import Access, own_and_root

OURS, THEIRS = 1000, 1001
USERS = frozenset({OURS})


@dataclass
class FakeSocket:
    """A client that has been accepted: where it is, or who it is."""

    family: socket.AddressFamily = socket.AF_INET
    name: tuple[object, ...] = ("127.0.0.1", 3000)
    peer: tuple[object, ...] | None = ("127.0.0.1", 50000)
    user: int = -1

    def getsockname(self) -> tuple[object, ...]:
        return self.name

    def getpeername(self) -> tuple[object, ...]:
        if self.peer is None:
            raise OSError
        return self.peer

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option, size) == (socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.pack("=iii", 1, self.user, 2)


LOOPBACK = FakeSocket()
LOOPBACK_6 = FakeSocket(socket.AF_INET6, ("::1", 3000, 0, 0), ("::1", 50000, 0, 0))
REMOTE = FakeSocket(name=("192.0.2.1", 3000), peer=("192.0.2.2", 50000))


def refusal(access: Access, client: FakeSocket, owner: int | None = None) -> str | None:
    return access.refusal(cast("socket.socket", client), FakePeers(owner=owner))


@pytest.mark.parametrize("client", [LOOPBACK, LOOPBACK_6])
def test_a_user_who_is_allowed_is_let_in(client: FakeSocket) -> None:
    assert refusal(Access(USERS), client, OURS) is None


@pytest.mark.parametrize("client", [LOOPBACK, LOOPBACK_6])
@pytest.mark.parametrize("user", [THEIRS, 0])
def test_another_user_is_told_who_he_is_and_what_would_let_him_in(client: FakeSocket, user: int) -> None:
    reason = refusal(Access(USERS), client, user)
    assert reason == (
        f"refused: user {user} may not send requests here; start the agent with --allow-user {user} to allow it"
    )


@pytest.mark.parametrize("client", [LOOPBACK, LOOPBACK_6])
@pytest.mark.parametrize("remote", [True, False])
def test_a_local_client_of_whom_nobody_knows_whose_it_is_is_refused(client: FakeSocket, *, remote: bool) -> None:
    reason = refusal(Access(USERS, remote=remote), client, None)
    assert reason is not None
    assert "--allow-user '*'" in reason


def test_a_client_of_another_host_is_let_in_only_if_the_operator_insisted() -> None:
    assert refusal(Access(USERS, remote=True), REMOTE) is None
    assert refusal(Access(USERS), REMOTE) is not None


def test_letting_in_other_hosts_lets_in_no_other_users_of_this_one() -> None:
    assert refusal(Access(USERS, remote=True), LOOPBACK, THEIRS) is not None
    assert refusal(Access(USERS, remote=True), LOOPBACK, OURS) is None


def test_everybody_is_let_in_without_a_look() -> None:
    assert refusal(Access(None), FakeSocket(peer=None)) is None
    assert refusal(Access(None), FakeSocket(socket.AF_UNIX, user=THEIRS)) is None


def test_on_a_unix_socket_the_credentials_count() -> None:
    assert refusal(Access(USERS), FakeSocket(socket.AF_UNIX, user=OURS)) is None
    assert "user 1001" in str(refusal(Access(USERS), FakeSocket(socket.AF_UNIX, user=THEIRS)))


def test_a_client_that_is_gone_before_it_is_looked_up_is_not_let_in() -> None:
    with pytest.raises(OSError):  # noqa: PT011 -- whatever the system says
        refusal(Access(USERS), FakeSocket(peer=None))


def test_the_agents_own_user_and_root_are_allowed_by_default() -> None:
    assert own_and_root() == {os.geteuid(), 0}
