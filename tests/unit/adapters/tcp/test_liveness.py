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
    """A callback that counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture(autouse=True)
def _short_check_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


async def test_timer_calls_back_once() -> None:
    calls = Calls()
    OneShotTimer(0.001, calls).start()
    await eventually(lambda: calls.count > 0)
    await past(0.005)
    assert calls.count == 1


async def test_stopped_timer_does_not_call_back() -> None:
    calls = Calls()
    timer = OneShotTimer(0.001, calls)
    timer.stop()
    timer.start()
    timer.stop()
    await past(0.005)
    assert calls.count == 0


async def test_starting_a_running_timer_does_not_prolong_it() -> None:
    calls = Calls()
    timer = OneShotTimer(0.005, calls)
    timer.start()
    asyncio.get_running_loop().call_later(0.004, timer.start)
    await past(0.006)
    assert calls.count == 1


async def test_expired_timer_can_be_started_again() -> None:
    calls = Calls()
    timer = OneShotTimer(0.001, calls)
    timer.start()
    await eventually(lambda: calls.count == 1)
    timer.start()
    await eventually(lambda: calls.count == 2)


async def test_client_is_looked_up_periodically_until_it_has_disconnected() -> None:
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


async def test_check_looks_the_client_up_at_once() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    Liveness(transport, peer, lambda: True).check()
    assert transport.aborted


async def test_client_is_not_looked_up_while_that_is_not_needed() -> None:
    needed = [True]
    transport, peer = FakeTransport(), FakePeer()
    checks = Liveness(transport, peer, lambda: needed[0])
    checks.watch()
    await eventually(lambda: peer.asked > 0)
    needed[0] = False
    asked = peer.asked
    await past(0.005)
    assert peer.asked == asked
    needed[0] = True
    checks.watch()
    await eventually(lambda: peer.asked > asked)
    checks.stop()


async def test_client_of_a_closing_transport_is_not_looked_up() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    transport.close()
    Liveness(transport, peer, lambda: True).check()
    assert peer.asked == 0
    assert not transport.aborted


async def test_stop_ends_periodic_checks() -> None:
    transport, peer = FakeTransport(), FakePeer(Presence.DISCONNECTED)
    checks = Liveness(transport, peer, lambda: True)
    checks.watch()
    checks.stop()
    await past(0.005)
    assert peer.asked == 0
