"""The slots of connections: each is taken and given back once, and other processes may accept first."""

import asyncio

import pytest
from connection_harness import ask
from event_loop import settle, soon
from server_harness import FakeClient, errors, serving

from execwire.adapters.tcp import acceptor, server
from execwire.adapters.tcp.connection_slots import LocalConnectionSlots


class FakeSlots(LocalConnectionSlots):
    """Counts what is taken; another process has fewer connections while `behind`."""

    def __init__(self, total: int = 100) -> None:
        super().__init__(total)
        self.taken = 0
        self.behind = False
        self.asked = 0
        self.failures = 0

    def take(self) -> bool:
        if self.failures:
            self.failures -= 1
            return False
        taken = super().take()
        self.taken += taken
        return taken

    def give(self) -> None:
        super().give()
        self.taken -= 1

    def others_first(self, pending: int) -> bool:  # noqa: ARG002 -- not needed here
        self.asked += 1
        return self.behind


def test_no_more_places_than_the_total() -> None:
    slots = LocalConnectionSlots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give()
    assert slots.take()
    assert not slots.others_first(0)


async def test_slot_is_given_back_once_however_the_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = FakeSlots()
    async with serving(monkeypatch, slots=slots) as served:
        served.peers.peer.user = 1000
        half_closed, disconnected, foreign = FakeClient(says=ask("a")), FakeClient(), FakeClient()
        await served.connect(half_closed, disconnected, foreign)
        assert slots.taken == 3
        half_closed.transport.deliver(None)
        disconnected.transport.close()
        foreign.transport.deliver(b"GET / HTTP/1.1\r\n")
        await settle()
        failing = FakeClient()
        failing.setsockopt = refuse  # type: ignore[method-assign]
        await served.connect(failing)
        await settle()
        assert slots.taken == 0
    assert slots.taken == 0


def refuse(*_: int) -> None:
    raise OSError(22, "Invalid argument")


async def test_rejected_clients_take_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = FakeSlots(total=1)
    async with serving(monkeypatch, users=frozenset({1000}), slots=slots) as served:
        served.peers.peer.user = 1001
        await served.connect(FakeClient())
        assert slots.taken == 0
        served.peers.peer.user = 1000
        first, second = FakeClient(), FakeClient()
        await served.connect(first, second)
        assert slots.taken == 1
        assert [bool(errors(client)) for client in (first, second)] == [False, True]


async def test_connection_is_left_to_others_for_a_moment_and_then_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = FakeSlots()
    slots.behind = True
    async with serving(monkeypatch, slots=slots) as served:
        served.listener.put(FakeClient())
        await soon(lambda: slots.asked > 1)
        assert served.listener.accepts == 0
        await asyncio.sleep(2 * acceptor.YIELD_SECONDS)
        await soon(lambda: slots.taken == 1)
        # The next one is left to others again.
        served.listener.put(FakeClient())
        asked = slots.asked
        await soon(lambda: slots.asked > asked)
        assert slots.taken == 1
        slots.behind = False
        await soon(lambda: slots.taken == 2)


@pytest.mark.parametrize(("failures", "served"), [(3, True), (10**6, False)])
async def test_client_waits_for_a_slot_that_cannot_be_taken_now_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, failures: int, *, served: bool
) -> None:
    monkeypatch.setattr(server, "RETRY_SECONDS", 0.0)
    slots = FakeSlots()
    slots.failures = failures
    async with serving(monkeypatch, slots=slots) as serving_clients:
        client = FakeClient()
        await serving_clients.connect(client)
        await soon(lambda: slots.taken == 1 or bool(errors(client)))
        assert (slots.taken, errors(client)) == ((1, []) if served else (0, [server.FULL.format(100)]))
