"""Hazard 33: which clients are accepted, for all that the kernel can report of a peer."""

import pytest
from fake_peers import FakePeer

from execwire.adapters.tcp.access import AccessPolicy

OURS, THEIRS = 1000, 1001
USERS = frozenset({OURS})


def test_allowed_user_is_accepted() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=OURS)) is None


def test_unauthorised_user_gets_its_number_and_the_option_that_allows_it() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=THEIRS)) == (
        "refused: user 1001 may not send requests here; start the agent with --allow-user 1001 to allow it"
    )


def test_root_is_rejected_over_tcp_with_both_alternatives() -> None:
    reason = AccessPolicy(USERS).refusal(FakePeer(user=0))
    assert reason is not None
    assert "root may not send requests here" in reason
    assert "--allow-user root" in reason
    assert "--unix" in reason


def test_root_is_accepted_over_tcp_if_allowed_explicitly() -> None:
    assert AccessPolicy(USERS | {0}).refusal(FakePeer(user=0)) is None


def test_root_is_accepted_over_a_unix_socket_and_other_users_are_not() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=0, attested=True)) is None
    assert "user 1001" in str(AccessPolicy(USERS).refusal(FakePeer(user=THEIRS, attested=True)))


@pytest.mark.parametrize("attested", [True, False])
def test_overflow_user_id_is_rejected_and_never_suggested(*, attested: bool) -> None:
    for users in (USERS, USERS | {65534}):
        reason = AccessPolicy(users, unmapped=65534).refusal(FakePeer(user=65534, attested=attested))
        assert reason is not None
        assert "not mapped into the agent's user namespace" in reason
        assert "65534" not in reason


@pytest.mark.parametrize("remote", [True, False])
def test_local_client_of_unknown_user_is_rejected(*, remote: bool) -> None:
    reason = AccessPolicy(USERS, remote=remote).refusal(FakePeer())
    assert reason is not None
    assert "--allow-user '*'" in reason


def test_client_on_another_host_is_accepted_only_if_remote_is_allowed() -> None:
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(is_local=False)) is None
    assert AccessPolicy(USERS).refusal(FakePeer(is_local=False)) is not None


def test_allowing_other_hosts_allows_no_other_local_users() -> None:
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(user=THEIRS)) is not None
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(user=OURS)) is None


@pytest.mark.parametrize("peer", [FakePeer(), FakePeer(user=THEIRS), FakePeer(user=THEIRS, attested=True)])
def test_every_client_is_accepted_if_all_users_are_allowed(peer: FakePeer) -> None:
    assert AccessPolicy(None).refusal(peer) is None
