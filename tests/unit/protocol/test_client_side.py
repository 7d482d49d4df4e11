"""Round trips: the agent decodes what a client encodes, and a client decodes what the agent encodes, for any values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult
from execwire.protocol.received import InvalidResult, ReceivedResult, decode_result
from execwire.protocol.requests import DecodedRequest, RequestId, decode_request, encode_request
from execwire.protocol.results import encode_result

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
COMMANDS = st.lists(TEXT, max_size=5).flatmap(lambda rest: TEXT.filter(bool).map(lambda name: (name, *rest)))
TIMEOUTS = st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
IDS: st.SearchStrategy[RequestId | None] = (
    st.none()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=128)
)
# An exit code of -1 always has an error.
ENDS = st.tuples(st.integers(0, 255), TEXT) | st.tuples(st.just(-1), TEXT.filter(bool))


@given(COMMANDS, TIMEOUTS, IDS)
def test_encoded_request_decodes_to_the_same_values(
    command: tuple[str, ...], timeout: float | None, id_: RequestId | None
) -> None:
    request = TaskRequest(command, timeout)
    line = encode_request(request, id_)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == DecodedRequest(request, id_)


def test_absent_fields_are_not_encoded() -> None:
    assert encode_request(TaskRequest(("true",))) == b'{"command":["true"]}\n'
    assert encode_request(TaskRequest(("true",), 500), 7) == b'{"command":["true"],"timeout":500,"id":7}\n'


@pytest.mark.parametrize("id_", ["", "x" * 129, "a\0b"])
def test_invalid_id_is_not_encoded(id_: str) -> None:
    with pytest.raises(ValueError, match="an id is"):
        encode_request(TaskRequest(("true",)), id_)


@given(COMMANDS, st.binary(), IDS, ENDS)
def test_encoded_result_decodes_to_the_same_values(
    command: tuple[str, ...], output: bytes, id_: RequestId | None, end: tuple[int, str]
) -> None:
    exit_code, error = end
    line = encode_result(TaskResult(command, 1_700_000_000, 12.5, exit_code, NO_OUTPUT, error), output, id_)
    text = output.decode("utf-8", "replace")
    assert decode_result(line) == ReceivedResult(command, 1_700_000_000, 12.5, exit_code, text, error, id_)


@given(st.binary(max_size=200))
def test_invalid_result_is_a_value_with_a_reason(line: bytes) -> None:
    received = decode_result(line)
    assert isinstance(received, InvalidResult)
    assert received.reason


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"command":"true"}',
        b'{"command":["a"],"executed_at":0,"duration_ms":0.0,"exit_code":0,"output":"","error":null}',
        b'{"command":["a"],"executed_at":0,"duration_ms":0.0,"exit_code":0,"output":"\xff","error":""}',
        b"[" * 100_000,
    ],
)
def test_line_that_is_nearly_a_result_is_invalid(line: bytes) -> None:
    assert isinstance(decode_result(line), InvalidResult)


def test_unknown_fields_of_a_result_are_ignored() -> None:
    line = b'{"command":["a"],"executed_at":1,"duration_ms":0.5,"exit_code":0,"output":"o","error":"","stderr":"e"}\n'
    assert decode_result(line) == ReceivedResult(("a",), 1, 0.5, 0, "o", "")
