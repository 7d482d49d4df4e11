import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskResult
from execwire.protocol.requests import DecodedRequest, InvalidRequest, RequestId, decode_request
from execwire.protocol.results import encode_result

RESULT = TaskResult(("a",), 0, 0.0, 0, NO_OUTPUT, "")


def with_id(text: str) -> bytes:
    return b'{"command":["a"],"id":' + text.encode() + b"}"


def id_of(incoming: DecodedRequest | InvalidRequest) -> RequestId | None:
    return incoming.id


@given(
    st.integers()
    | st.integers(-(10**300), 10**300)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=128),
    st.booleans(),
)
def test_result_has_the_id_of_the_request(request_id: RequestId, ascii_only: bool) -> None:  # noqa: FBT001
    line = json.dumps({"command": ["a"], "id": request_id}, ensure_ascii=ascii_only).encode()
    incoming = decode_request(line)
    assert isinstance(incoming, DecodedRequest)
    assert incoming.id == request_id
    assert isinstance(incoming.id, type(request_id))
    result = json.loads(encode_result(RESULT, b"", incoming.id))
    assert result["id"] == request_id
    assert isinstance(result["id"], type(request_id))


def test_request_without_an_id_has_none() -> None:
    assert id_of(decode_request(b'{"command":["a"]}')) is None
    assert id_of(decode_request(with_id("null"))) is None


@pytest.mark.parametrize("length", [1, 127, 128])
def test_id_has_1_to_128_characters_of_any_width(length: int) -> None:
    # Hazard 20.
    assert id_of(decode_request(with_id(json.dumps("😀" * length, ensure_ascii=False)))) == "😀" * length


@pytest.mark.parametrize(
    "text",
    ['""', json.dumps("x" * 129), r'"a\u0000"', "true", "1.5", "[]", "{}", '["a"]', r'"\ud800"', r'"\udc00"'],
)
def test_invalid_ids_are_rejected_and_not_returned(text: str) -> None:
    incoming = decode_request(with_id(text))
    assert isinstance(incoming, InvalidRequest)
    assert incoming.reason
    assert incoming.is_object
    assert incoming.id is None


@pytest.mark.parametrize("request_id", ['"k"', "7", "-7", r'"\u00e4"', str(10**30)])
@pytest.mark.parametrize(
    "rest",
    [
        '"command":[]',
        '"command":[""]',
        '"command":["a",5]',
        '"command":"ls"',
        r'"command":["\u0000"]',
        r'"command":["\ud800"]',
        r'"command":["\udc00"]',
        '"command":["a"],"timeout":-1',
        '"command":["a"],"timeout":"5"',
        '"command":["a"],"timeout":1e999',
        '"timeout":1',
    ],
)
def test_invalid_request_has_its_id(request_id: str, rest: str) -> None:
    for line in (f'{{"id":{request_id},{rest}}}', f'{{{rest},"id":{request_id}}}'):
        incoming = decode_request(line.encode())
        assert isinstance(incoming, InvalidRequest)
        assert incoming.id == json.loads(request_id)


def test_id_with_more_digits_than_python_parses_is_rejected() -> None:
    # The interpreter stops at 4300 digits (sys.set_int_max_str_digits).
    incoming = decode_request(with_id("9" * 5000))
    assert isinstance(incoming, InvalidRequest)
    assert incoming.id is None
