import asyncio

import pytest
from event_loop import past
from fake_peers import FakePeer
from fake_transport import FakeTransport
from proc import eventually

from execwire.adapters.tcp import liveness
from execwire.adapters.tcp.liveness import Liveness, OneShotTimer
from execwire.adapters.tcp.peers import Presence


class Calls:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


async def test_a_countdown_calls_back_once() -> None:
    calls = Calls()
    OneShotTimer(0.001, calls).start()
    await eventually(lambda: calls.count > 0)
    await past(0.005)
    assert calls.count == 1


async def test_a_countdown_that_is_stopped_does_not_call_back() -> None:
    calls = Calls()
    countdown = OneShotTimer(0.001, calls)
    countdown.stop()
    countdown.start()
    countdown.stop()
    await past(0.005)
    assert calls.count == 0


async def test_starting_a_countdown_again_does_not_prolong_it() -> None:
    calls = Calls()
    countdown = OneShotTimer(0.005, calls)
    countdown.start()
    asyncio.get_running_loop().call_later(0.004, countdown.start)
    await past(0.006)
    assert calls.count == 1


async def test_a_countdown_can_be_started_again_after_it_was_over() -> None:
    calls = Calls()
    countdown = OneShotTimer(0.001, calls)
    countdown.start()
    await eventually(lambda: calls.count == 1)
    countdown.start()
    await eventually(lambda: calls.count == 2)


async def test_a_client_is_looked_up_again_and_again_until_it_has_gone() -> None:
    transport, peer = FakeTransport(), FakePeer()
    Liveness(transport, peer, lambda: True).watch()
    assert peer.asked == 0
    await eventually(lambda: peer.asked > 3)
    assert not transport.aborted
    peer.answer = Presence.DISCONNECTED
    await eventually(lambda: transport.aborted)
    asked = peer.asked
    await past(0.005)
    assert peer.asked == asked


async def test_checking_looks_at_once() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    Liveness(transport, peer, lambda: True).check()
    assert transport.aborted


async def test_nobody_is_looked_up_who_is_not_waited_for() -> None:
    needed = [True]
    transport, peer = FakeTransport(), FakePeer()
    watched = Liveness(transport, peer, lambda: needed[0])
    watched.watch()
    await eventually(lambda: peer.asked > 0)
    needed[0] = False
    asked = peer.asked
    await past(0.005)
    assert peer.asked == asked
    needed[0] = True
    watched.watch()
    await eventually(lambda: peer.asked > asked)
    watched.stop()


async def test_a_transport_that_closes_is_left_alone() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    transport.close()
    Liveness(transport, peer, lambda: True).check()
    assert peer.asked == 0
    assert not transport.aborted


async def test_looking_stops_when_told() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    watched = Liveness(transport, peer, lambda: True)
    watched.watch()
    watched.stop()
    await past(0.005)
    assert peer.asked == 0
