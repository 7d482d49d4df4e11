"""Whether a transport is read, and whose turn it is, with nobody at its other end."""

import asyncio
from collections.abc import Callable

import pytest
from connection_harness import context, echo
from event_loop import settle
from fake_transport import FakeTransport
from fakes import FakeTaskIntake

from execwire.adapters.tcp.flow_control import ReadFlow


class Guarded:
    """A ReadFlow, and what it has called for."""

    def __init__(self, intake: FakeTaskIntake | None = None, then: Callable[["Guarded"], None] | None = None) -> None:
        self.intake = intake or FakeTaskIntake(echo)
        self.transport = FakeTransport()
        # For each call, whether one request was granted with it.
        self.taken: list[bool] = []
        self._then = then
        self.read_flow = ReadFlow(self.transport, context(self.intake), self._take)

    def _take(self, *, granted: bool = False) -> None:
        self.taken.append(granted)
        if self._then is not None:
            self._then(self)


async def test_it_starts_open() -> None:
    guarded = Guarded()
    assert not guarded.read_flow.paused
    assert guarded.transport.is_reading()


@pytest.mark.parametrize("room", [True, False])
async def test_shut_the_transport_is_not_read_until_it_is_opened_again(*, room: bool) -> None:
    guarded = Guarded()
    guarded.intake.has_capacity = room
    reading: list[bool] = []
    # Shut or opened twice is shut or opened; the transport minds being told twice.
    for shut in (True, True, False, False):
        guarded.read_flow.set_paused(paused=shut)
        reading.append(guarded.transport.is_reading())
    assert reading == [False, False, True, True]
    guarded.read_flow.close()


async def test_after_the_end_of_file_there_is_nothing_to_pause() -> None:
    guarded = Guarded()
    guarded.read_flow.at_eof = True
    guarded.read_flow.set_paused(paused=True)
    assert guarded.read_flow.paused
    assert guarded.transport.is_reading()
    guarded.read_flow.set_paused(paused=False)
    assert not guarded.read_flow.paused


async def test_a_transport_that_is_closing_is_left_alone() -> None:
    guarded = Guarded()
    guarded.transport.closing = True
    guarded.intake.fill()
    guarded.read_flow.set_paused(paused=True)
    await settle()
    assert not guarded.read_flow.paused
    assert len(guarded.intake.turns) == 0


async def test_shut_for_its_own_limits_it_asks_for_no_room() -> None:
    guarded = Guarded()
    guarded.read_flow.set_paused(paused=True)
    await settle()
    assert len(guarded.intake.turns) == 0
    assert guarded.taken == []


async def test_shut_for_want_of_room_it_calls_when_it_is_its_turn_and_then_asks_anew() -> None:
    guarded = Guarded(then=lambda guarded: guarded.read_flow.set_paused(paused=True))
    guarded.intake.fill()
    guarded.read_flow.set_paused(paused=True)
    guarded.read_flow.set_paused(paused=True)
    for turn in range(1, 4):
        await settle()
        assert len(guarded.intake.turns) == 1, "one place in the queue a client"
        guarded.intake.grant()
        await settle()
        assert guarded.taken == [True] * turn
    guarded.read_flow.close()


async def test_turns_come_in_the_order_in_which_clients_were_shut() -> None:
    intake = FakeTaskIntake(echo)
    intake.fill()
    order: list[int] = []
    clients = [Guarded(intake, lambda _, number=number: order.append(number)) for number in range(3)]  # type: ignore[misc]
    for number in (2, 0, 1):
        clients[number].read_flow.set_paused(paused=True)
        await settle()
    for _ in clients:
        intake.grant()
        await settle()
    assert order == [2, 0, 1]


async def test_letting_others_it_goes_on_in_the_next_turn_once() -> None:
    guarded = Guarded()
    guarded.read_flow.yield_iteration(bulk=False)
    guarded.read_flow.yield_iteration(bulk=False)
    assert guarded.taken == []
    await asyncio.sleep(0)
    assert guarded.taken == [False]
    await settle()
    assert guarded.taken == [False]


async def test_who_goes_on_anyway_asks_for_no_room_before() -> None:
    guarded = Guarded()
    guarded.intake.fill()
    guarded.read_flow.yield_iteration(bulk=False)
    guarded.read_flow.set_paused(paused=True)
    assert len(guarded.intake.turns) == 0
    await settle()
    assert guarded.taken == [False]


@pytest.mark.parametrize("at_once", [True, False])
async def test_closed_it_calls_nobody_any_more_and_gives_its_place_up(*, at_once: bool) -> None:
    guarded = Guarded()
    guarded.intake.fill()
    guarded.read_flow.set_paused(paused=True)
    if not at_once:
        await settle()
    guarded.read_flow.yield_iteration(bulk=False)
    guarded.read_flow.close()
    await settle()
    guarded.intake.release_all()
    await settle()
    assert guarded.taken == []
