import asyncio
import json

from fakes import FakeOutput
from hypothesis import example, given
from hypothesis import strategies as st

from execwire.adapters.tcp.answer import encode_answer
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult
from execwire.protocol.requests import DecodedRequest, InvalidRequest, decode_request
from execwire.protocol.results import encode_result

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ARGUMENT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
COMMANDS = st.tuples(ARGUMENT.filter(bool)) | st.lists(ARGUMENT, min_size=1).map(tuple).filter(lambda argv: argv[0])
ANY_TEXT = st.text(st.characters(codec=None))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["command", "id", "x"]), inner),
    max_leaves=8,
)
ALMOST_REQUESTS = st.fixed_dictionaries({}, optional={"command": JSON, "timeout": JSON, "id": JSON})
RESULTS = st.builds(
    TaskResult,
    command=st.lists(TEXT, max_size=4).map(tuple),
    executed_at=st.integers(0, 2**40),
    duration_ms=st.floats(0, 1e12),
    exit_code=st.integers(0, 255),
    output=st.just(NO_OUTPUT),
    error=TEXT,
)
# Bytes in which multi-byte characters begin, continue and break off more often than in random ones.
OUTPUT = st.binary() | st.lists(st.sampled_from([b"\xf0", b"\x9f", b"\x98", b"\x80", b"\xe2", b"\xed", b"a"])).map(
    b"".join
)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(st.sampled_from(list('{}[]":,command\\uD8'))).map(lambda characters: "".join(characters).encode())
)
@example(b"")
@example(b'{"command":["\\uD800')
def test_any_bytes_are_a_request_or_invalid_with_a_reason(line: bytes) -> None:
    incoming = decode_request(line)
    assert isinstance(incoming, DecodedRequest) or incoming.reason


@given(ALMOST_REQUESTS, st.booleans())
def test_line_that_is_nearly_a_request_gets_a_result_that_can_be_encoded(
    fields: dict[str, object],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    incoming = decode_request(json.dumps(fields, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    error = f"invalid request: {incoming.reason}" if isinstance(incoming, InvalidRequest) else ""
    line = encode_result(TaskResult((), 0, 0.0, -1, NO_OUTPUT, error or "none"), b"", incoming.id)
    assert json.loads(line)["error"] == error or not error


@given(COMMANDS, st.none() | st.floats(0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**15))
def test_valid_request_decodes_to_its_values(command: tuple[str, ...], timeout: float | None) -> None:
    line = json.dumps({"command": command, "timeout": timeout}).encode()
    assert decode_request(line) == DecodedRequest(TaskRequest(command, timeout), None)


@given(RESULTS, OUTPUT, st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])))
def test_encoded_result_is_json_with_the_same_values(
    result: TaskResult, output: bytes, request_id: int | str | None
) -> None:
    line = encode_result(result, output, request_id)
    assert line.index(b"\n") == len(line) - 1
    fields = json.loads(line)
    assert fields.pop("id", None) == request_id
    assert fields == {
        "command": list(result.command),
        "executed_at": result.executed_at,
        "duration_ms": round(result.duration_ms, 3),
        "exit_code": result.exit_code,
        "output": output.decode("utf-8", "replace"),
        "error": result.error,
    }


@given(OUTPUT, st.data())
def test_streamed_output_does_not_depend_on_how_it_is_split(output: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=10)))
    pieces = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True) if start < end]
    result = TaskResult(("a",), 0, 0.0, 0, FakeOutput(pieces), "")

    async def line() -> bytes:
        return b"".join([piece async for piece in encode_answer(result, None).pieces()])

    assert asyncio.run(line()) == encode_result(result, output, None)
