"""End-of-file and disconnects of a client, and what happens to its requests."""

import pytest
from connection_harness import Limits, Served, ask
from event_loop import settle
from fakes import FakeOutput
from proc import eventually

from execwire.adapters.tcp import liveness
from execwire.adapters.tcp.peers import Presence
from execwire.domain.task import TaskRequest, TaskResult


@pytest.fixture
def _short_check_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


# Hazard 26.
async def test_client_that_half_closes_gets_every_result_and_then_end_of_file() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"), ask("b"))
        await served.end_of_file()
        assert not served.transport.is_closing()
        await served.let_go("b")
        assert not served.transport.is_closing()
        assert await served.let_go("a")
        assert served.commands == ["a", "b"]
        assert served.transport.closing
        assert not served.transport.aborted


async def test_client_that_closes_with_nothing_in_flight_is_closed_at_once() -> None:
    async with Served() as served:
        await served.send(ask("a"))
        await served.end_of_file()
        assert served.lost == [served.connection]
        assert not served.transport.aborted


async def test_complete_last_line_without_a_newline_is_a_request() -> None:
    async with Served() as served:
        await served.send(ask("a"), ask("b").rstrip(b"\n"))
        await served.end_of_file()
        assert served.commands == ["a", "b"]


async def test_complete_last_object_that_is_no_request_gets_an_error() -> None:
    async with Served() as served:
        await served.send(b'{"command":[]}')
        await served.end_of_file()
        assert served.errors == ["invalid request: Expected a non-empty `array` - at `$.command`"]


# Hazard 25.
@pytest.mark.parametrize("fragment", [b'{"command":["a"', b'["a"]', b"x", b"  ", b'{"command":["\xff"]}'])
async def test_truncated_last_line_is_no_request(fragment: bytes) -> None:
    async with Served() as served:
        await served.send(ask("a"), fragment)
        await served.end_of_file()
        assert served.commands == ["a"]
        assert served.transport.closing


async def test_end_of_a_line_that_is_too_long_is_no_request() -> None:
    async with Served() as served:
        await served.send(b"{" + b"x" * 2000, ask("a").rstrip(b"\n"))
        await served.end_of_file()
        assert len(served.results) == 1
        assert served.taken == []


async def test_client_that_half_closes_while_reading_is_paused_gets_every_result() -> None:
    async with Served(limits=Limits(requests=1)) as served:
        served.transport.client_reads = False
        served.connection.pause_writing()
        await served.send(ask("a"), ask("b"), ask("c").rstrip(b"\n"))
        await served.end_of_file()
        assert served.taken == ["a"]
        served.transport.client_reads = True
        served.connection.resume_writing()
        await settle()
        assert served.commands == ["a", "b", "c"]
        assert served.transport.closing


# Hazard 28.
async def test_tasks_of_a_disconnected_client_are_stopped() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"), ask("b", id="b"), ask("c"))
        served.transport.abort()
        await settle()
        assert {request.command[0] for request in served.intake.stopped} == {"a", "b"}
        assert served.results == []


# Hazard 28.
async def test_tasks_of_a_disconnected_client_may_finish_and_their_output_is_dropped() -> None:
    outputs: list[FakeOutput] = []

    def answer(request: TaskRequest) -> TaskResult:
        outputs.append(FakeOutput([b"text"], is_in_memory=True))
        return TaskResult(request.command, 0, 0.0, 0, outputs[-1], "")

    async with Served("a", "b", limits=Limits(killed_with_client=False), answer=answer) as served:
        await served.send(ask("a"), ask("b", id="b"))
        served.transport.abort()
        await settle()
        assert served.intake.stopped == []
        await served.let_go("a", "b")
        assert [output.closed for output in outputs] == [1, 1]


# Hazard 26.
@pytest.mark.usefixtures("_short_check_interval")
async def test_disconnect_after_half_close_is_detected_and_the_task_is_stopped() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        await served.end_of_file()
        await eventually(lambda: served.peer.asked > 3)
        assert served.intake.stopped == []
        served.peer.answer = Presence.DISCONNECTED
        await eventually(lambda: served.transport.aborted)
        await settle()
        assert len(served.intake.stopped) == 1


# Hazard 26.
@pytest.mark.usefixtures("_short_check_interval")
async def test_disconnect_while_reading_is_paused_is_detected() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a"), ask("b"))
        await eventually(lambda: served.peer.asked > 0)
        served.peer.answer = Presence.DISCONNECTED
        await eventually(lambda: served.transport.aborted)
        await settle()
        assert len(served.intake.stopped) == 1


async def test_disconnect_is_checked_at_end_of_file() -> None:
    async with Served("a") as served:
        served.peer.answer = Presence.DISCONNECTED
        await served.send(ask("a"))
        await served.end_of_file()
        assert served.transport.aborted
        assert len(served.intake.stopped) == 1


async def test_client_of_unknown_presence_counts_as_connected() -> None:
    async with Served("a") as served:
        served.peer.answer = Presence.UNKNOWN
        await served.send(ask("a"))
        await served.end_of_file()
        await served.let_go("a")
        assert served.commands == ["a"]


async def test_client_that_is_read_is_not_looked_up() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        assert served.peer.asked == 0


async def test_client_that_disconnects_while_waiting_for_capacity_starts_nothing() -> None:
    async with Served() as served:
        served.intake.fill()
        await served.send(ask("a"))
        served.transport.abort()
        await settle()
        served.intake.release_all()
        await settle()
        assert served.taken == []


async def test_closed_connection_can_be_aborted() -> None:
    async with Served() as served:
        await served.end_of_file()
        await settle()
        assert served.lost == [served.connection]
        served.connection.abort()
