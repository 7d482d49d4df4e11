"""Fairness: no client delays the others for longer than one batch."""

import asyncio

import pytest
from connection_harness import Limits, Served, ask, echo
from event_loop import settle
from fakes import FakeTaskIntake

from execwire.adapters.tcp.batch import LINES_AT_ONCE, LINES_PER_SCHEDULED_READ

MANY = 10 * LINES_PER_SCHEDULED_READ


async def test_limited_number_of_lines_is_handled_per_event_loop_iteration() -> None:
    async with Served(limits=Limits(requests=2 * MANY)) as served:
        served.transport.deliver(b"{}\n" * MANY)
        counts = [len(served.results)]
        while counts[-1] < MANY:
            await asyncio.sleep(0)
            counts.append(len(served.results))
        assert (
            max(later - earlier for earlier, later in zip([0, *counts], counts, strict=False))
            == LINES_PER_SCHEDULED_READ
        )


async def test_client_with_many_invalid_lines_does_not_delay_other_clients() -> None:
    async with Served() as busy, Served() as other:
        busy.transport.deliver(b"{nonsense\n" * MANY)
        other.transport.deliver(b"{nonsense\n")
        assert len(other.results) == 1
        assert len(busy.results) == LINES_AT_ONCE
        assert len(await busy.send()) == MANY


async def test_reading_is_paused_until_buffered_lines_are_handled() -> None:
    async with Served(limits=Limits(requests=2 * MANY)) as served:
        served.transport.deliver(b"{}\n" * (LINES_PER_SCHEDULED_READ + 1))
        reading = [served.transport.is_reading()]
        await settle()
        reading.append(served.transport.is_reading())
        assert reading == [False, True]
        assert len(served.results) == LINES_PER_SCHEDULED_READ + 1


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_last_line_is_handled_when_end_of_file_comes_with_a_full_batch(more: int) -> None:
    # Hazard 20.
    lines = LINES_PER_SCHEDULED_READ + more
    async with Served(limits=Limits(requests=2 * MANY)) as served:
        served.transport.deliver(b"{}\n" * lines + ask("last").rstrip())
        await served.end_of_file()
        assert served.commands == [""] * lines + ["last"]
        assert served.transport.closing


async def test_no_more_lines_are_handled_after_a_disconnect() -> None:
    async with Served(limits=Limits(requests=2 * MANY)) as served:
        served.transport.deliver(ask("a") * MANY)
        served.transport.abort()
        await settle()
        taken = len(served.taken)
        await settle()
        assert len(served.taken) == taken <= 2 * LINES_PER_SCHEDULED_READ


async def test_clients_take_turns_with_one_request_each_while_the_agent_is_full() -> None:
    # Hazard 21: a client that sends without end does not starve the others.
    intake = FakeTaskIntake(echo)
    intake.fill()
    async with Served(intake=intake) as first, Served(intake=intake) as second:
        await first.send(ask("a") + ask("b") + ask("c"))
        await second.send(ask("x") + ask("y"))
        for _ in range(4):
            intake.grant()
            await settle()
        assert [request.command[0] for request in intake.taken] == ["a", "x", "b", "y"]
        assert (first.commands, second.commands) == (["a", "b"], ["x", "y"])
        intake.release_all()
        await settle()
        assert first.commands == ["a", "b", "c"]
