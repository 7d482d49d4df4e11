"""The order in which results are sent, and what happens to them after a disconnect."""

import asyncio
from dataclasses import dataclass, field

from connection_harness import Limits, Served, ask, context, echo
from event_loop import settle
from fake_transport import FakeTransport
from fakes import FakeOutput, FakeTaskIntake

from execwire.adapters.tcp.pipeline import Pipeline
from execwire.adapters.tcp.result_writer import ResultWriter
from execwire.domain.task import TaskRequest, TaskResult
from execwire.protocol.requests import DecodedRequest

ABC = ["a", "b", "c"]


@dataclass
class Outputs:
    """Returns a result for each request, and records its output."""

    given: list[FakeOutput] = field(default_factory=list[FakeOutput])

    def __call__(self, request: TaskRequest) -> TaskResult:
        self.given.append(FakeOutput([b"text"], is_in_memory=True))
        return TaskResult(request.command, 0, 0.0, 0, self.given[-1], "")


def fail_for_a_and_b(request: TaskRequest) -> TaskResult:
    """Raise for the commands a and b, as a defect of the agent would; echo others."""
    if request.command[0] in {"a", "b"}:
        raise LookupError(request.command)
    return echo(request)


async def test_results_are_in_request_order_whatever_order_they_arrive_in() -> None:
    async with Served(*ABC) as served:
        await served.send(*map(ask, ABC))
        assert await served.let_go("c", "b") == []
        await served.let_go("a")
        assert served.commands == ABC


async def test_error_without_id_waits_for_earlier_results() -> None:
    async with Served("a") as served:
        assert await served.send(ask("a"), b"{}\n", ask("b")) == []
        await served.let_go("a")
        assert served.commands == ["a", "", "b"]


async def test_result_with_an_id_is_sent_as_soon_as_it_exists() -> None:
    async with Served(*ABC) as served:
        await served.send(ask("a"), ask("b", id="second"), ask("c", id=3))
        await served.let_go("c")
        await served.let_go("b")
        assert [(result["command"], result["id"]) for result in served.results] == [(["c"], 3), (["b"], "second")]
        await served.let_go("a")
        assert served.commands == ["c", "b", "a"]
        assert "id" not in served.results[2]


async def test_results_without_an_id_do_not_wait_for_those_with_one() -> None:
    async with Served("a") as served:
        await served.send(ask("a", id="slow"), ask("b"))
        assert served.commands == ["b"]


async def test_request_with_an_id_in_flight_is_rejected_without_id_and_the_first_continues() -> None:
    async with Served("a") as served:
        invalid = ask("b", id=1, timeout=-1), b'{"id":1}\n', b'{"id":1,"command":5}\n'
        await served.send(ask("a", id=1), ask("b", id=1), *invalid, ask("c", id="1"))
        refusals = served.results[:4]
        assert all(result["error"].startswith("invalid request: ") for result in refusals)
        assert all(result["error"].endswith("(the id 1 is in flight on this connection)") for result in refusals)
        assert not any("id" in result for result in refusals)
        assert served.taken == ["a", "c"]
        await served.let_go("a")
        assert served.commands == ["", "", "", "", "c", "a"]


async def test_rejection_of_an_id_in_flight_keeps_its_place_among_results_without_id() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a", id="x"), ask("b"), ask("c", id="x"), ask("d"))
        assert served.results == []
        await served.let_go("b")
        assert served.commands == ["b", "", "d"]


async def test_answered_id_can_be_used_again() -> None:
    async with Served() as served:
        await served.send(ask("a", id="x"), ask("b", id="x"))
        assert served.commands == ["", "a"]
        await served.send(ask("c", id="x"))
        assert served.commands == ["", "a", "c"]
        assert served.errors[-1] == ""


async def test_same_id_on_another_connection_is_independent() -> None:
    async with Served("a") as first, Served() as second:
        await first.send(ask("a", id="x"))
        await second.send(ask("b", id="x"))
        assert second.errors == [""]


async def test_invalid_request_with_a_readable_id_is_answered_at_once() -> None:
    async with Served("a") as served:
        await served.send(ask("a"), b'{"command":[],"id":"x"}\n')
        assert [(result["id"], result["command"], result["exit_code"]) for result in served.results] == [("x", [], -1)]


async def test_internal_error_is_reported_and_the_next_request_runs() -> None:
    async with Served(answer=fail_for_a_and_b) as served:
        await served.send(ask("a"), ask("b", id="b"))
        await served.send(ask("c"))
        assert sorted(served.commands) == ABC
        assert served.errors.count("internal error of the agent; its log says more") == 2


async def test_waiting_results_release_their_outputs_after_a_disconnect() -> None:
    outputs = Outputs()
    async with Served("a", answer=outputs) as served:
        await served.send(ask("a"), ask("b"), ask("c"))
        # Their text is in the encoded answers.
        assert [output.closed for output in outputs.given] == [1, 1]
        served.transport.abort()
        await settle()
        assert [output.closed for output in outputs.given] == [1, 1, 1]


async def test_sent_result_has_released_its_output() -> None:
    outputs = Outputs()
    async with Served(answer=outputs) as served:
        await served.send(ask("a"), ask("b", id="b"))
        assert [result["output"] for result in served.results] == ["text", "text"]
        assert [output.closed for output in outputs.given] == [1, 1]


async def test_result_without_a_result_writer_is_dropped() -> None:
    outputs = Outputs()
    pipeline = Pipeline(context(FakeTaskIntake(outputs)), lambda: None)
    pipeline.submit(DecodedRequest(TaskRequest(("a",)), None))
    await settle()
    assert [output.closed for output in outputs.given] == [1]


async def test_requests_are_in_flight_until_their_results_are_sent() -> None:
    pipeline = Pipeline(context(FakeTaskIntake(echo), Limits(requests=3)), lambda: None)
    result_writer = pipeline.result_writer = ResultWriter(FakeTransport(), pipeline.holder, pipeline.on_sent)
    result_writer.pause()
    seen: list[tuple[bool, bool]] = []
    for _ in range(3):
        pipeline.submit(DecodedRequest(TaskRequest(("a",)), None))
        await settle()
        seen.append((pipeline.empty, pipeline.full))
    assert seen == [(False, False), (False, False), (False, True)]
    assert pipeline.holder.charged > 0
    result_writer.resume()
    assert (pipeline.empty, pipeline.full, pipeline.holder.charged) == (True, False, 0)


async def test_disconnect_in_the_iteration_of_a_request_leaves_nothing_behind() -> None:
    async with Served("a") as served:
        served.transport.deliver(ask("a"))
        served.transport.abort()
        await settle()
        assert served.intake.stopped == [TaskRequest(("a",))]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others
