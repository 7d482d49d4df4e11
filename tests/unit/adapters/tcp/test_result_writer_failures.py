"""If a result cannot be written, the client gets an error or the connection is closed: no client waits for ever."""

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
    """Return a function that gives each request a result with the next of these outputs."""
    remaining = list(outputs)
    return lambda request: TaskResult(request.command, 0, 0.0, 3, remaining.pop(0), error)


def text(size: int = 4) -> FakeOutput:
    return FakeOutput([b"x" * size], is_in_memory=size < WRITE_BUFFER_BYTES)


# As os.fsdecode returns for a name that is not UTF-8, and other surrogates that a str can contain.
@pytest.mark.parametrize("surrogate", ["\udcff", "\udfff\ud800"])
@pytest.mark.parametrize("size", [4, WRITE_BUFFER_BYTES])
async def test_invalid_text_in_an_error_is_replaced_and_the_rest_kept(surrogate: str, size: int) -> None:
    async with Served(answer=results_with(f"in /x/{surrogate}é", text(size), text(size))) as served:
        first, second = await served.send(ask("a"), ask("b", id="k"))
        assert first["error"] == f"in /x/{REPLACED * len(surrogate)}é"
        assert (first["command"], first["exit_code"], len(first["output"])) == (["a"], 3, size)
        assert second["id"] == "k"
        assert served.connection.idle


def test_result_with_invalid_text_can_be_encoded() -> None:
    result = TaskResult(("a\ud800", "b"), 0, 0.0, 0, text(), "\udcff")
    answer = json.loads(encode_result(result, b"\xed\xa0\x80\xff", "\udc80"))
    assert (answer["command"], answer["error"], answer["id"]) == ([f"a{REPLACED}", "b"], REPLACED, REPLACED)


def failing(times: int, failure: Exception) -> Callable[[TaskResult, str, RequestId | None], bytes]:
    """Return an `encode_line` that fails so many times."""
    remaining = times
    encode = wire_result.encode_line

    def encode_or_fail(result: TaskResult, output: str, request_id: RequestId | None) -> bytes:
        nonlocal remaining
        remaining -= 1
        if remaining >= 0:
            raise failure
        return encode(result, output, request_id)

    return encode_or_fail


@pytest.mark.parametrize("failure", FAILURES)
async def test_encoding_failure_is_reported_as_an_internal_error(
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


async def test_connection_is_closed_if_the_error_cannot_be_encoded_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Served(answer=results_with("", text())) as served:
        monkeypatch.setattr(wire_result, "encode_line", failing(2, MemoryError()))
        served.transport.deliver(ask("a"))
        await settle()
        assert served.transport.aborted
        assert not served.transport.written.endswith(b"\n")
        assert served.lost == [served.connection]


async def test_large_result_failing_before_its_first_byte_is_reported_and_later_is_truncated(
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
