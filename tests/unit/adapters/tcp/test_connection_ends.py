"""How a client can end, and what becomes of what it asked for."""

import pytest
from connection_harness import Limits, Served, ask
from event_loop import settle
from fakes import FakeOutput
from proc import eventually

from execwire.adapters.tcp import liveness
from execwire.adapters.tcp.peers import Presence
from execwire.domain.task import TaskRequest, TaskResult


@pytest.fixture
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


# Hazard 26.
async def test_a_client_that_half_closes_gets_every_answer_and_then_the_end() -> None:
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


async def test_a_client_that_closes_with_nothing_pending_is_let_go_at_once() -> None:
    async with Served() as served:
        await served.send(ask("a"))
        await served.end_of_file()
        assert served.lost == [served.connection]
        assert not served.transport.aborted


async def test_a_whole_last_line_without_a_newline_counts() -> None:
    async with Served() as served:
        await served.send(ask("a"), ask("b").rstrip(b"\n"))
        await served.end_of_file()
        assert served.commands == ["a", "b"]


async def test_a_whole_last_object_that_is_no_request_is_told_so() -> None:
    async with Served() as served:
        await served.send(b'{"command":[]}')
        await served.end_of_file()
        assert served.errors == ["invalid request: Expected a non-empty `array` - at `$.command`"]


# Hazard 25.
@pytest.mark.parametrize("rest", [b'{"command":["a"', b'["a"]', b"x", b"  ", b'{"command":["\xff"]}'])
async def test_a_line_that_broke_off_is_no_request_at_all(rest: bytes) -> None:
    async with Served() as served:
        await served.send(ask("a"), rest)
        await served.end_of_file()
        assert served.commands == ["a"]
        assert served.transport.closing


async def test_the_end_of_a_line_that_was_too_long_is_not_a_request() -> None:
    async with Served() as served:
        await served.send(b"{" + b"x" * 2000, ask("a").rstrip(b"\n"))
        await served.end_of_file()
        assert len(served.results) == 1
        assert served.taken == []


async def test_a_client_that_half_closes_while_it_is_not_read_gets_every_answer_too() -> None:
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
async def test_what_runs_for_a_client_that_is_lost_is_killed() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"), ask("b", id="b"), ask("c"))
        served.transport.abort()
        await settle()
        assert {request.command[0] for request in served.intake.stopped} == {"a", "b"}
        assert served.results == []


# Hazard 28.
async def test_what_runs_for_a_lost_client_may_be_let_finish_and_its_output_is_dropped() -> None:
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
@pytest.mark.usefixtures("_look_often")
async def test_a_client_that_half_closed_and_then_went_is_noticed_and_its_task_killed() -> None:
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
@pytest.mark.usefixtures("_look_often")
async def test_a_client_that_went_while_it_was_not_read_is_noticed() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a"), ask("b"))
        await eventually(lambda: served.peer.asked > 0)
        served.peer.answer = Presence.DISCONNECTED
        await eventually(lambda: served.transport.aborted)
        await settle()
        assert len(served.intake.stopped) == 1


async def test_a_client_that_has_gone_when_its_end_of_file_comes_is_not_waited_for() -> None:
    async with Served("a") as served:
        served.peer.answer = Presence.DISCONNECTED
        await served.send(ask("a"))
        await served.end_of_file()
        assert served.transport.aborted
        assert len(served.intake.stopped) == 1


async def test_a_client_of_whom_the_kernel_says_nothing_is_not_taken_for_gone() -> None:
    async with Served("a") as served:
        served.peer.answer = Presence.UNKNOWN
        await served.send(ask("a"))
        await served.end_of_file()
        await served.let_go("a")
        assert served.commands == ["a"]


async def test_a_client_that_is_read_is_not_looked_up() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        assert served.peer.asked == 0


async def test_a_client_that_is_lost_while_it_waits_for_room_starts_nothing() -> None:
    async with Served() as served:
        served.intake.fill()
        await served.send(ask("a"))
        served.transport.abort()
        await settle()
        served.intake.release_all()
        await settle()
        assert served.taken == []


async def test_one_that_has_ended_by_itself_can_be_aborted_all_the_same() -> None:
    async with Served() as served:
        await served.end_of_file()
        await settle()
        assert served.lost == [served.connection]
        served.connection.abort()
