"""When a transport is read, and in which order clients get capacity, on a fake transport."""

import asyncio
from collections.abc import Callable

import pytest
from connection_harness import context, echo
from event_loop import settle
from fake_transport import FakeTransport
from fakes import FakeTaskIntake

from execwire.adapters.tcp.flow_control import ReadFlow


class FlowHarness:
    """A ReadFlow on a fake transport, with its calls of `read_requests`."""

    def __init__(
        self, intake: FakeTaskIntake | None = None, then: Callable[["FlowHarness"], None] | None = None
    ) -> None:
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


async def test_reading_is_not_paused_at_first() -> None:
    harness = FlowHarness()
    assert not harness.read_flow.paused
    assert harness.transport.is_reading()


@pytest.mark.parametrize("has_capacity", [True, False])
async def test_transport_is_not_read_between_pause_and_resume(*, has_capacity: bool) -> None:
    harness = FlowHarness()
    harness.intake.has_capacity = has_capacity
    reading: list[bool] = []
    # Each twice: the fake transport does not accept a second pause or resume.
    for paused in (True, True, False, False):
        harness.read_flow.set_paused(paused=paused)
        reading.append(harness.transport.is_reading())
    assert reading == [False, False, True, True]
    harness.read_flow.close()


async def test_transport_is_not_paused_after_end_of_file() -> None:
    harness = FlowHarness()
    harness.read_flow.at_eof = True
    harness.read_flow.set_paused(paused=True)
    assert harness.read_flow.paused
    assert harness.transport.is_reading()
    harness.read_flow.set_paused(paused=False)
    assert not harness.read_flow.paused


async def test_closing_transport_is_not_paused() -> None:
    harness = FlowHarness()
    harness.transport.closing = True
    harness.intake.fill()
    harness.read_flow.set_paused(paused=True)
    await settle()
    assert not harness.read_flow.paused
    assert len(harness.intake.turns) == 0


async def test_pause_for_own_limits_does_not_wait_for_capacity() -> None:
    harness = FlowHarness()
    harness.read_flow.set_paused(paused=True)
    await settle()
    assert len(harness.intake.turns) == 0
    assert harness.taken == []


async def test_pause_without_capacity_calls_back_when_granted_and_waits_again() -> None:
    harness = FlowHarness(then=lambda harness: harness.read_flow.set_paused(paused=True))
    harness.intake.fill()
    harness.read_flow.set_paused(paused=True)
    harness.read_flow.set_paused(paused=True)
    for count in range(1, 4):
        await settle()
        assert len(harness.intake.turns) == 1, "each client has one place in the queue"
        harness.intake.grant()
        await settle()
        assert harness.taken == [True] * count
    harness.read_flow.close()


async def test_capacity_is_granted_in_the_order_of_pauses() -> None:
    intake = FakeTaskIntake(echo)
    intake.fill()
    order: list[int] = []
    clients = [FlowHarness(intake, lambda _, number=number: order.append(number)) for number in range(3)]  # type: ignore[misc]
    for number in (2, 0, 1):
        clients[number].read_flow.set_paused(paused=True)
        await settle()
    for _ in clients:
        intake.grant()
        await settle()
    assert order == [2, 0, 1]


async def test_yield_continues_once_in_the_next_iteration() -> None:
    harness = FlowHarness()
    harness.read_flow.yield_iteration(bulk=False)
    harness.read_flow.yield_iteration(bulk=False)
    assert harness.taken == []
    await asyncio.sleep(0)
    assert harness.taken == [False]
    await settle()
    assert harness.taken == [False]


async def test_scheduled_client_does_not_wait_for_capacity() -> None:
    harness = FlowHarness()
    harness.intake.fill()
    harness.read_flow.yield_iteration(bulk=False)
    harness.read_flow.set_paused(paused=True)
    assert len(harness.intake.turns) == 0
    await settle()
    assert harness.taken == [False]


@pytest.mark.parametrize("at_once", [True, False])
async def test_close_cancels_callbacks_and_the_wait_for_capacity(*, at_once: bool) -> None:
    harness = FlowHarness()
    harness.intake.fill()
    harness.read_flow.set_paused(paused=True)
    if not at_once:
        await settle()
    harness.read_flow.yield_iteration(bulk=False)
    harness.read_flow.close()
    await settle()
    harness.intake.release_all()
    await settle()
    assert harness.taken == []
