"""Outputs are given back exactly when nobody will read them any more, however the client ends."""

import pytest
from connection_harness import Served, ask
from event_loop import settle
from fakes import FakeOutput

from execwire.adapters.tcp.result_writer import WRITE_BUFFER_BYTES
from execwire.domain.task import TaskRequest, TaskResult


class Shelf:
    """Answers each command with the next of these outputs."""

    def __init__(self, *outputs: FakeOutput) -> None:
        self.outputs = outputs
        self._rest = list(outputs)

    def __call__(self, request: TaskRequest) -> TaskResult:
        return TaskResult(request.command, 0, 0.0, 0, self._rest.pop(0), "")

    @property
    def closed(self) -> list[int]:
        return [output.closed for output in self.outputs]


def large(failure: OSError | None = None) -> FakeOutput:
    return FakeOutput([b"x" * WRITE_BUFFER_BYTES] * 4, failure=failure)


def small() -> FakeOutput:
    return FakeOutput([b"text"], is_in_memory=True)


# Hazard 21.
async def test_a_client_lost_in_the_middle_of_a_large_result_leaves_no_output_behind() -> None:
    shelf = Shelf(large(), small(), large())
    async with Served(answer=shelf) as served:
        served.transport.client_reads = False
        await served.send(ask("a"), ask("b"), ask("c"))
        assert shelf.closed == [0, 1, 0]
        served.transport.abort()
        await settle()
        assert min(shelf.closed) >= 1


@pytest.mark.parametrize("turns", range(12))
async def test_a_client_lost_at_any_moment_leaves_no_output_behind(turns: int) -> None:
    shelf = Shelf(large(), small(), large())
    async with Served(answer=shelf) as served:
        for line in (ask("a"), ask("b"), ask("c")):
            served.transport.deliver(line)
        await settle(turns)
        served.transport.client_reads = False
        served.transport.abort()
        await settle()
        started = len(served.taken)
        assert all(closed >= 1 for closed in shelf.closed[:started])
        assert all(closed == 0 for closed in shelf.closed[started:])


# Hazard 15.
async def test_an_output_that_cannot_be_read_back_cuts_the_line_short_and_the_connection() -> None:
    shelf = Shelf(small(), large(OSError("the disk is gone")), small())
    async with Served(answer=shelf) as served:
        for line in (ask("a"), ask("b"), ask("c")):
            served.transport.deliver(line)
        await settle()
        assert served.transport.aborted
        first, rest = bytes(served.transport.written).split(b"\n")
        assert b'"output":"text"' in first
        assert rest.endswith(b"xxx")
        assert min(shelf.closed) >= 1


async def test_a_large_result_is_the_last_thing_a_client_that_half_closed_is_sent() -> None:
    shelf = Shelf(large())
    async with Served(answer=shelf) as served:
        await served.send(ask("a"))
        served.transport.client_reads = False
        await served.end_of_file()
        served.transport.client_reads = True
        served.transport.catch_up()
        await settle()
        assert [len(result["output"]) for result in served.results] == [4 * WRITE_BUFFER_BYTES]
        assert served.lost == [served.connection]
        assert shelf.closed == [1]


async def test_a_large_result_holds_up_what_comes_after_it_and_nothing_that_runs() -> None:
    shelf = Shelf(large(), small())
    async with Served(answer=shelf) as served:
        served.transport.client_reads = False
        await served.send(ask("a"), ask("b", id="b"))
        assert served.taken == ["a", "b"]
        served.transport.client_reads = True
        served.transport.catch_up()
        await settle()
        assert served.commands == ["a", "b"]
