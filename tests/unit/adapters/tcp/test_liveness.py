import asyncio
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from fakes import FakePeers
from proc import eventually
from transport import FakeTransport
from turns import past

from execwire.adapters.tcp import liveness
from execwire.adapters.tcp.liveness import Countdown, Liveness
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


@pytest.fixture
def pipe() -> Iterator[tuple[int, list[int]]]:
    """A descriptor that hangs up when the only one of the list is closed, as a Unix socket would."""
    reading, writing = os.pipe()
    open_still = [writing]
    yield reading, open_still
    for descriptor in (reading, *open_still):
        os.close(descriptor)


async def test_a_countdown_calls_back_once() -> None:
    calls = Calls()
    Countdown(0.001, calls).start()
    await eventually(lambda: calls.count > 0)
    await past(0.005)
    assert calls.count == 1


async def test_a_countdown_that_is_stopped_does_not_call_back() -> None:
    calls = Calls()
    countdown = Countdown(0.001, calls)
    countdown.stop()
    countdown.start()
    countdown.stop()
    await past(0.005)
    assert calls.count == 0


async def test_starting_a_countdown_again_does_not_prolong_it() -> None:
    calls = Calls()
    countdown = Countdown(0.005, calls)
    countdown.start()
    asyncio.get_running_loop().call_later(0.004, countdown.start)
    await past(0.006)
    assert calls.count == 1


async def test_a_countdown_can_be_started_again_after_it_was_over() -> None:
    calls = Calls()
    countdown = Countdown(0.001, calls)
    countdown.start()
    await eventually(lambda: calls.count == 1)
    countdown.start()
    await eventually(lambda: calls.count == 2)


async def test_a_client_is_looked_up_again_and_again_until_it_has_gone() -> None:
    transport, peers = FakeTransport(), FakePeers()
    Liveness(transport, peers, lambda: True).watch()
    assert peers.asked == 0
    await eventually(lambda: peers.asked > 3)
    assert not transport.aborted
    peers.answer = Presence.GONE
    await eventually(lambda: transport.aborted)
    asked = peers.asked
    await past(0.005)
    assert peers.asked == asked


async def test_checking_looks_at_once() -> None:
    transport, peers = FakeTransport(), FakePeers(Presence.GONE)
    Liveness(transport, peers, lambda: True).check()
    assert transport.aborted


async def test_nobody_is_looked_up_who_is_not_waited_for() -> None:
    needed = [True]
    transport, peers = FakeTransport(), FakePeers()
    watched = Liveness(transport, peers, lambda: needed[0])
    watched.watch()
    await eventually(lambda: peers.asked > 0)
    needed[0] = False
    asked = peers.asked
    await past(0.005)
    assert peers.asked == asked
    needed[0] = True
    watched.watch()
    await eventually(lambda: peers.asked > asked)
    watched.stop()


async def test_a_transport_that_closes_is_left_alone() -> None:
    transport, peers = FakeTransport(), FakePeers(Presence.GONE)
    transport.close()
    Liveness(transport, peers, lambda: True).check()
    assert peers.asked == 0
    assert not transport.aborted


async def test_looking_stops_when_told() -> None:
    transport, peers = FakeTransport(), FakePeers(Presence.GONE)
    watched = Liveness(transport, peers, lambda: True)
    watched.watch()
    watched.stop()
    await past(0.005)
    assert peers.asked == 0


async def test_on_a_unix_socket_a_hang_up_says_that_the_client_has_gone(pipe: tuple[int, list[int]]) -> None:
    reading, open_still = pipe
    transport = FakeTransport(connected=SimpleNamespace(family=socket.AF_UNIX, fileno=lambda: reading))
    watched = Liveness(transport, FakePeers(Presence.GONE), lambda: True)
    watched.check()
    assert not transport.aborted
    os.close(open_still.pop())
    await eventually(lambda: transport.aborted)
