import json
import math

import pytest

from execwire.domain.task import TaskRequest
from execwire.protocol.requests import DecodedRequest, InvalidRequest, decode_request

NESTED = 100_000
DIGITS = b"9" * 5000
"""More digits than Python parses as an integer."""


def accepted(line: bytes) -> TaskRequest:
    incoming = decode_request(line)
    assert isinstance(incoming, DecodedRequest), incoming
    return incoming.request


def rejected(line: bytes) -> InvalidRequest:
    incoming = decode_request(line)
    assert isinstance(incoming, InvalidRequest), incoming
    return incoming


def test_command_and_timeout_are_decoded() -> None:
    assert accepted(b'{"command":["echo","a b"],"timeout":1500}') == TaskRequest(("echo", "a b"), 1500.0)
    assert accepted(b'{"timeout":0.25,"command":["true"]}') == TaskRequest(("true",), 0.25)


@pytest.mark.parametrize("timeout", [b"0", b"0.0", b"-0.0", b"0e-999", b"0.000E5", b"null"])
def test_zero_and_null_mean_no_timeout(timeout: bytes) -> None:
    assert accepted(b'{"command":["true"],"timeout":' + timeout + b"}") == TaskRequest(("true",))
    assert accepted(b'{"command":["true"]}') == TaskRequest(("true",))


@pytest.mark.parametrize("timeout", [b"1e-400", b"4.9E-324", b"0." + b"0" * 5000 + b"1", b"0.0000009e-999"])
def test_timeout_below_the_smallest_float_is_the_smallest_float(timeout: bytes) -> None:
    for line in (
        b'{"command":["a"],"timeout":%b}',
        b'{"timeout":5,"command":5,"command":["a"],"timeout":%b}',
        b'{"command":5,"command":["a"],"timeout":%b,"x":"\\ud800"}',
    ):
        assert accepted(line % timeout) == TaskRequest(("a",), math.ulp(0.0))


@pytest.mark.parametrize("timeout", [b"-1e-400", b"-0.0000009e-999"])
def test_negative_timeout_that_parses_as_zero_is_rejected(timeout: bytes) -> None:
    assert rejected(b'{"command":["a"],"timeout":%b}' % timeout).reason.endswith("`$.timeout`")


def test_json_white_space_and_a_carriage_return_are_ignored() -> None:
    assert accepted(b' {\t"command" : [ "true" ] }\r') == TaskRequest(("true",))


def test_escapes_and_utf8_give_the_same_text() -> None:
    assert accepted(rb'{"comm\u0061nd":["\u00e4\ud83d\ude00"]}') == accepted('{"command":["ä😀"]}'.encode())


def test_arguments_may_be_empty_but_the_program_may_not() -> None:
    assert accepted(b'{"command":["printf",""]}').command == ("printf", "")
    assert rejected(b'{"command":["","x"]}').reason.endswith("`$.command[0]`")


def test_unknown_fields_are_ignored() -> None:
    line = b'{"x":{"y":[1,"\\u0000",null]},"command":["true"],"_":1e5}'
    assert accepted(line) == TaskRequest(("true",))


@pytest.mark.parametrize(
    "line",
    [
        b'{"command":["a"],"command":["b"]}',
        b'{"command":["a"],"timeout":7,"command":["b"],"timeout":null}',
        b'{"command":5,"command":["b"]}',
        b'{"timeout":"soon","command":["b"],"timeout":0}',
        b'{"command":5,"command":["b"],"x":' + DIGITS + b"}",
        b'{"command":["a",{}],"y":[1,[2]],"timeout":true,"command":["b"],"timeout":null,"z":1e9999,"z":-0}',
        b'{"id":[],"command":"a","id":null,"command":["b"],"x":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_last_of_duplicate_keys_wins(line: bytes) -> None:
    assert accepted(line) == TaskRequest(("b",))


@pytest.mark.parametrize(
    ("line", "path"),
    [
        # Hazard 23.
        (b'{"command":[]}', "`$.command`"),
        (b"null", "`$`"),
        (b"[]", "`$`"),
        (b"5", "`$`"),
        (b'"text"', "`$`"),
        (b"true", "`$`"),
        (b"{}", "`$`"),
        (b'{"timeout":5}', "`command`"),
        (b'{"command":null}', "`$.command`"),
        (b'{"command":"ls"}', "`$.command`"),
        (b'{"command":{"0":"ls"}}', "`$.command`"),
        (b'{"command":["ls",5]}', "`$.command[1]`"),
        (b'{"command":["ls",null]}', "`$.command[1]`"),
        (b'{"command":["ls",["-l"]]}', "`$.command[1]`"),
        (b'{"command":["a\\u0000b"]}', "`$.command[0]`"),
        (b'{"command":["a","b","\\u0000"]}', "`$.command[2]`"),
        (b'{"command":["a"],"timeout":-1}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":-0.001}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":1e999}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":-1e999}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":"5"}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":true}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":[]}', "`$.timeout`"),
        (b'{"command":["a"],"timeout":NaN}', "byte 27"),
        (b'{"command":["a"],"timeout":Infinity}', "byte 27"),
        (b'{"command":["a","\\ud800"]}', "surrogate"),
        (b'{"command":["a","\\udc00"]}', "surrogate"),
        (b'{"command":["a"],"\\ud800":1}', "surrogate"),
        (b'{"command":["a","\\ude00\\ud83d"]}', "surrogate"),
    ],
)
def test_invalid_request_names_the_path_of_the_error(line: bytes, path: str) -> None:
    assert path in rejected(line).reason


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"ls -l",
        b"\0",
        b'{"command":["a"]} {"command":["b"]}',
        b'{"command":["a"]',
        b'{"command":["a',
        b'{"command":["a"],}',
        b"{'command':['a']}",
        b'{"command":["a\tb"]}',
        b'{"command":["\xff"]}',
        b'{"command":["\xc3"]}',
        b'{"command":["\xed\xa0\x80"]}',
        b'\xef\xbb\xbf{"command":["a"]}',
        '{"command":["a"]}'.encode("utf-16"),
        b"[" * NESTED,
        b'{"command":' + b"[" * NESTED,
        b'{"command":["a"],"x":' + b"[" * NESTED + b"]" * NESTED + b"}",
        b'{"a":' * NESTED + b"0" + b"}" * NESTED,
    ],
)
def test_line_that_is_not_json_is_rejected_with_a_reason(line: bytes) -> None:
    # Hazard 23.
    assert rejected(line).reason


def test_invalid_request_tells_whether_it_is_a_complete_object() -> None:
    # Only a complete object may be a request whose newline is missing.
    assert all(rejected(line).is_object for line in (b"{}", b'{"command":[]}', b'{"command":["\\ud800"]}'))
    assert not any(
        rejected(line).is_object for line in (b"{", b"5", b"[]", b'{"command":["a"', b'{"command":["\xff"]}')
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"command":["a"],"id":' + DIGITS + b"}",
        b'{"command":["a"],"timeout":' + DIGITS + b"}",
        b'{"command":["\\ud800"],"x":' + DIGITS + b"}",
        b'{"command":["a"],"x":' + b"[" * NESTED + b"]" * NESTED + b"}",
        b'{"x":"}}}[[\\"{","command":["a"],"y":' + b'{"[":' * NESTED + b'"}"' + b"}" * NESTED + b"} \r",
    ],
)
def test_complete_object_that_no_library_parses_is_detected(line: bytes) -> None:
    assert rejected(line).is_object
    for end in (1, len(line) // 3, len(line) // 2, line.rindex(b"}")):
        assert not rejected(line[:end]).is_object


@pytest.mark.parametrize("depth", [500, 3000, 20_000])
def test_deeply_nested_unknown_field_is_ignored_or_rejected_as_an_object(depth: int) -> None:
    # The depth that a library can parse depends on the version of Python.
    incoming = decode_request(b'{"command":["a"],"x":' + b"[" * depth + b"]" * depth + b"}")
    assert isinstance(incoming, DecodedRequest) or incoming.is_object


def test_arguments_longer_than_the_system_accepts_are_decoded() -> None:
    # Hazard 23: the system returns E2BIG; the request is valid.
    argument = "x" * 2_000_000
    assert accepted(json.dumps({"command": ["echo", argument]}).encode()).command == ("echo", argument)


@pytest.mark.parametrize("line", [b'{"command":["true"],"x":"\xff"}', b'{"command":["true"],"\xed\xa0\x80":1}'])
def test_invalid_utf8_in_an_unknown_field_is_rejected(line: bytes) -> None:
    assert isinstance(decode_request(line), InvalidRequest)
