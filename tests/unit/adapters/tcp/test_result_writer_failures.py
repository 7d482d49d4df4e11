"""A result that cannot be written is answered all the same, or its connection is closed: nobody waits for ever."""

import json
from collections.abc import Callable

import pytest
from connection_harness import Served, ask
from event_loop import settle
from fakes import FakeOutput

from execwire.adapters.tcp.result_writer import WRITE_BUFFER_BYTES
from execwire.domain.task import TaskRequest, TaskResult
from execwire.protocol import results as wire_result
from execwire.protocol.requests import RequestId
from execwire.protocol.results import INTERNAL_ERROR, encode_result

REPLACED = "\N{REPLACEMENT CHARACTER}"
FAILURES = [MemoryError(), RecursionError(), ValueError("anything"), UnicodeEncodeError("utf-8", "?", 0, 1, "anything")]


def results_with(error: str, *outputs: FakeOutput) -> Callable[[TaskRequest], TaskResult]:
    """Answer each command with the next of these outputs."""
    rest = list(outputs)
    return lambda request: TaskResult(request.command, 0, 0.0, 3, rest.pop(0), error)


def text(size: int = 4) -> FakeOutput:
    return FakeOutput([b"x" * size], is_in_memory=size < WRITE_BUFFER_BYTES)


# What os.fsdecode makes of a name that is not UTF-8, and what else a str may hold.
@pytest.mark.parametrize("surrogate", ["\udcff", "\udfff\ud800"])
@pytest.mark.parametrize("size", [4, WRITE_BUFFER_BYTES])
async def test_what_is_not_text_in_an_error_is_replaced_and_the_rest_kept(surrogate: str, size: int) -> None:
    async with Served(answer=results_with(f"in /x/{surrogate}é", text(size), text(size))) as served:
        first, second = await served.send(ask("a"), ask("b", id="k"))
        assert first["error"] == f"in /x/{REPLACED * len(surrogate)}é"
        assert (first["command"], first["exit_code"], len(first["output"])) == (["a"], 3, size)
        assert second["id"] == "k"
        assert served.connection.idle


def test_nothing_that_a_result_can_hold_keeps_it_from_being_encoded() -> None:
    result = TaskResult(("a\ud800", "b"), 0, 0.0, 0, text(), "\udcff")
    answer = json.loads(encode_result(result, b"\xed\xa0\x80\xff", "\udc80"))
    assert (answer["command"], answer["error"], answer["id"]) == ([f"a{REPLACED}", "b"], REPLACED, REPLACED)


def failing(times: int, failure: Exception) -> Callable[[TaskResult, str, RequestId | None], bytes]:
    """What encodes a line, failing so many times."""
    left = times
    encode = wire_result.encode_line

    def encode_or_fail(result: TaskResult, output: str, request_id: RequestId | None) -> bytes:
        nonlocal left
        left -= 1
        if left >= 0:
            raise failure
        return encode(result, output, request_id)

    return encode_or_fail


@pytest.mark.parametrize("failure", FAILURES)
async def test_any_failure_to_encode_is_answered_as_one_of_the_agent(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = text()
    async with Served(answer=results_with("", output, text())) as served:
        monkeypatch.setattr(wire_result, "encode_line", failing(1, failure))
        first, second = await served.send(ask("a", id=1), ask("b"))
        assert (first["command"], first["exit_code"], first["output"], first["error"]) == (
            ["a"],
            -1,
            "",
            INTERNAL_ERROR,
        )
        assert (first["id"], second["output"]) == (1, "xxxx")
        assert served.connection.idle
        assert output.closed == 1


async def test_where_not_even_the_failure_can_be_encoded_the_connection_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Served(answer=results_with("", text())) as served:
        monkeypatch.setattr(wire_result, "encode_line", failing(2, MemoryError()))
        served.transport.deliver(ask("a"))
        await settle()
        assert served.transport.aborted
        assert not served.transport.written.endswith(b"\n")
        assert served.lost == [served.connection]


async def test_a_large_result_that_fails_before_its_first_byte_is_answered_and_later_is_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = text(WRITE_BUFFER_BYTES)
    with monkeypatch.context() as patch:
        patch.setattr(wire_result, "encode_line", failing(1, MemoryError()))
        async with Served(answer=results_with("", output, text())) as served:
            first, second = await served.send(ask("a"), ask("b"))
            assert (first["error"], second["error"]) == (INTERNAL_ERROR, "")
            assert output.closed == 1
    output.failure = MemoryError()
    async with Served(answer=results_with("", output)) as served:
        served.transport.deliver(ask("a"))
        await settle()
        assert served.transport.aborted
        assert not served.transport.written.endswith(b"\n")
        assert served.lost == [served.connection]
