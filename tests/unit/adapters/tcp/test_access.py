"""Hazard 33: who is let in, for every kind of client, with what the kernel says of it."""

import pytest
from fake_peers import FakePeer

from execwire.adapters.tcp.access import AccessPolicy

OURS, THEIRS = 1000, 1001
USERS = frozenset({OURS})


def test_a_user_who_is_allowed_is_let_in() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=OURS)) is None


def test_another_user_is_told_who_he_is_and_what_would_let_him_in() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=THEIRS)) == (
        "refused: user 1001 may not send requests here; start the agent with --allow-user 1001 to allow it"
    )


def test_root_is_refused_over_tcp_and_told_both_ways_in() -> None:
    reason = AccessPolicy(USERS).refusal(FakePeer(user=0))
    assert reason is not None
    assert "root may not send requests here" in reason
    assert "--allow-user root" in reason
    assert "--unix" in reason


def test_root_is_let_in_over_tcp_where_that_was_asked_for() -> None:
    assert AccessPolicy(USERS | {0}).refusal(FakePeer(user=0)) is None


def test_on_a_unix_socket_root_is_let_in_and_another_user_is_not() -> None:
    assert AccessPolicy(USERS).refusal(FakePeer(user=0, attested=True)) is None
    assert "user 1001" in str(AccessPolicy(USERS).refusal(FakePeer(user=THEIRS, attested=True)))


@pytest.mark.parametrize("attested", [True, False])
def test_a_number_that_stands_for_all_who_are_not_mapped_is_never_advised_nor_let_in(*, attested: bool) -> None:
    for users in (USERS, USERS | {65534}):
        reason = AccessPolicy(users, unmapped=65534).refusal(FakePeer(user=65534, attested=attested))
        assert reason is not None
        assert "not mapped into the agent's user namespace" in reason
        assert "65534" not in reason


@pytest.mark.parametrize("remote", [True, False])
def test_a_local_client_of_whom_nobody_knows_whose_it_is_is_refused(*, remote: bool) -> None:
    reason = AccessPolicy(USERS, remote=remote).refusal(FakePeer())
    assert reason is not None
    assert "--allow-user '*'" in reason


def test_a_client_of_another_host_is_let_in_only_if_the_operator_insisted() -> None:
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(is_local=False)) is None
    assert AccessPolicy(USERS).refusal(FakePeer(is_local=False)) is not None


def test_letting_in_other_hosts_lets_in_no_other_users_of_this_one() -> None:
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(user=THEIRS)) is not None
    assert AccessPolicy(USERS, remote=True).refusal(FakePeer(user=OURS)) is None


@pytest.mark.parametrize("peer", [FakePeer(), FakePeer(user=THEIRS), FakePeer(user=THEIRS, attested=True)])
def test_everybody_is_let_in_whoever_it_is(peer: FakePeer) -> None:
    assert AccessPolicy(None).refusal(peer) is None
