"""Outputs are closed once they are not needed any more, however the connection ends."""

import pytest
from connection_harness import Served, ask
from event_loop import settle
from fakes import FakeOutput

from execwire.adapters.tcp.result_writer import WRITE_BUFFER_BYTES
from execwire.domain.task import TaskRequest, TaskResult


class Results:
    """Returns a result with the next of these outputs for each request."""

    def __init__(self, *outputs: FakeOutput) -> None:
        self.outputs = outputs
        self._remaining = list(outputs)

    def __call__(self, request: TaskRequest) -> TaskResult:
        return TaskResult(request.command, 0, 0.0, 0, self._remaining.pop(0), "")

    @property
    def closed(self) -> list[int]:
        return [output.closed for output in self.outputs]


def large(failure: OSError | None = None) -> FakeOutput:
    return FakeOutput([b"x" * WRITE_BUFFER_BYTES] * 4, failure=failure)


def small() -> FakeOutput:
    return FakeOutput([b"text"], is_in_memory=True)


# Hazard 21.
async def test_disconnect_during_a_large_result_leaves_no_output_open() -> None:
    results = Results(large(), small(), large())
    async with Served(answer=results) as served:
        served.transport.client_reads = False
        await served.send(ask("a"), ask("b"), ask("c"))
        assert results.closed == [0, 1, 0]
        served.transport.abort()
        await settle()
        assert min(results.closed) >= 1


@pytest.mark.parametrize("iterations", range(12))
async def test_disconnect_at_any_moment_leaves_no_output_open(iterations: int) -> None:
    results = Results(large(), small(), large())
    async with Served(answer=results) as served:
        for line in (ask("a"), ask("b"), ask("c")):
            served.transport.deliver(line)
        await settle(iterations)
        served.transport.client_reads = False
        served.transport.abort()
        await settle()
        started = len(served.taken)
        assert all(closed >= 1 for closed in results.closed[:started])
        assert all(closed == 0 for closed in results.closed[started:])


# Hazard 15.
async def test_unreadable_output_truncates_the_line_and_aborts_the_connection() -> None:
    results = Results(small(), large(OSError("simulated")), small())
    async with Served(answer=results) as served:
        for line in (ask("a"), ask("b"), ask("c")):
            served.transport.deliver(line)
        await settle()
        assert served.transport.aborted
        first, truncated = bytes(served.transport.written).split(b"\n")
        assert b'"output":"text"' in first
        assert truncated.endswith(b"xxx")
        assert min(results.closed) >= 1


async def test_half_closed_client_gets_a_large_result_before_the_close() -> None:
    results = Results(large())
    async with Served(answer=results) as served:
        await served.send(ask("a"))
        served.transport.client_reads = False
        await served.end_of_file()
        served.transport.client_reads = True
        served.transport.catch_up()
        await settle()
        assert [len(result["output"]) for result in served.results] == [4 * WRITE_BUFFER_BYTES]
        assert served.lost == [served.connection]
        assert results.closed == [1]


async def test_large_result_delays_later_results_but_no_tasks() -> None:
    results = Results(large(), small())
    async with Served(answer=results) as served:
        served.transport.client_reads = False
        await served.send(ask("a"), ask("b", id="b"))
        assert served.taken == ["a", "b"]
        served.transport.client_reads = True
        served.transport.catch_up()
        await settle()
        assert served.commands == ["a", "b"]
