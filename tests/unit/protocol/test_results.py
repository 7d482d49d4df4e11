import asyncio
import json
from itertools import pairwise

import pytest
from fakes import FakeOutput

from execwire.adapters.tcp.answer import Answer
from execwire.domain.output import CHUNK_BYTES, NO_OUTPUT, BytesOutput, CapturedOutput
from execwire.domain.task import TaskResult
from execwire.protocol.requests import RequestId
from execwire.protocol.results import ESCAPE_BYTES, encode_ends, encode_result

EVERY_BYTE = bytes(range(256))
TEXTS = ["a", "ä", "€", "😀", "\x00", "\x1f", '"', "\\", "\u2028", "\x7f", "\ufffd"]


def result_with(output: CapturedOutput) -> TaskResult:
    return TaskResult(("a",), 1_700_000_000, 1.5, 0, output, "")


def in_pieces(result: TaskResult, request_id: RequestId | None = None) -> Answer:
    """Return the answer for a result whose output is too large for memory."""
    head, tail = encode_ends(result, request_id)
    return Answer(head, result.output, tail)


async def streamed(output: CapturedOutput, request_id: RequestId | None = None) -> list[bytes]:
    return [piece async for piece in in_pieces(result_with(output), request_id).pieces()]


def text_of(line: bytes) -> str:
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    text = json.loads(line)["output"]
    assert isinstance(text, str)
    return text


def test_result_is_one_compact_line_with_six_keys_in_order() -> None:
    result = TaskResult(("sh", "-c", "exit 3"), 1_700_000_000, 12.3456789, 3, NO_OUTPUT, "")
    assert encode_result(result, b"hi\n", None) == (
        b'{"command":["sh","-c","exit 3"],"executed_at":1700000000,"duration_ms":12.346,"exit_code":3,'
        b'"output":"hi\\n","error":""}\n'
    )


def test_id_is_the_seventh_key() -> None:
    line = encode_result(result_with(NO_OUTPUT), b"", "k")
    assert list(json.loads(line)) == ["command", "executed_at", "duration_ms", "exit_code", "output", "error", "id"]
    assert line.endswith(b',"error":"","id":"k"}\n')


def test_whole_duration_is_encoded_with_a_decimal_point() -> None:
    assert b'"duration_ms":0.0,' in encode_result(TaskResult(("a",), 0, 0.0, 0, NO_OUTPUT, ""), b"", None)
    assert b'"duration_ms":2000.0,' in encode_result(TaskResult(("a",), 0, 2000.0, 0, NO_OUTPUT, ""), b"", None)


def test_error_with_line_separators_is_encoded_as_one_line() -> None:
    result = TaskResult(('a"\n\u2028', "\\"), 0, 0.0, -1, NO_OUTPUT, 'cannot start a"\n\u2028: no such file')
    line = encode_result(result, b"", None)
    assert line.count(b"\n") == 1
    assert json.loads(line)["command"] == ['a"\n\u2028', "\\"]
    assert json.loads(line)["error"] == 'cannot start a"\n\u2028: no such file'


def test_every_byte_value_is_encoded_as_text() -> None:
    # Hazard 19.
    for data in (EVERY_BYTE, EVERY_BYTE[::-1], EVERY_BYTE * 3):
        assert text_of(encode_result(result_with(NO_OUTPUT), data, None)) == data.decode("utf-8", "replace")


async def test_every_byte_value_is_streamed_as_text() -> None:
    for size in (1, 2, 3, 256):
        pieces = [EVERY_BYTE[start : start + size] for start in range(0, 256, size)]
        assert text_of(b"".join(await streamed(FakeOutput(pieces)))) == EVERY_BYTE.decode("utf-8", "replace")


@pytest.mark.parametrize("text", TEXTS)
async def test_character_split_at_any_offset_is_encoded_intact(text: str) -> None:
    # Hazard 19.
    data = f"<{text}>".encode()
    for first, second in pairwise([*range(len(data) + 1), len(data)]):
        pieces = [piece for piece in (data[:first], data[first:second], data[second:]) if piece]
        assert text_of(b"".join(await streamed(FakeOutput(pieces)))) == f"<{text}>"


async def test_truncated_last_character_becomes_a_replacement_character() -> None:
    assert text_of(b"".join(await streamed(FakeOutput([b"ok \xf0\x9f\x98"])))) == "ok \ufffd"


@pytest.mark.parametrize("boundary", [ESCAPE_BYTES, CHUNK_BYTES, 2 * CHUNK_BYTES])
async def test_character_across_an_internal_boundary_is_encoded_intact(boundary: int) -> None:
    # Hazards 19 and 20.
    for before in range(boundary - 4, boundary + 2):
        data = b"x" * before + "😀y".encode()
        assert text_of(b"".join(await streamed(BytesOutput(data)))) == "x" * before + "😀y"


async def test_streamed_line_equals_the_line_encoded_at_once() -> None:
    data = b'{"output":"' + EVERY_BYTE
    for request_id in (None, "k", 7):
        whole = encode_result(result_with(NO_OUTPUT), data, request_id)
        assert b"".join(await streamed(BytesOutput(data), request_id)) == whole


async def test_command_that_looks_like_the_output_key_is_streamed_correctly() -> None:
    result = TaskResult(('","output":"', ',"output":"'), 0, 0.0, 0, BytesOutput(b"hi"), "")
    line = b"".join([piece async for piece in in_pieces(result).pieces()])
    assert json.loads(line)["command"] == list(result.command)
    assert text_of(line) == "hi"


async def test_pieces_of_a_streamed_line_are_small() -> None:
    # Hazard 17: the worst byte takes six characters in JSON.
    pieces = await streamed(FakeOutput([bytes(CHUNK_BYTES)] * 4))
    assert max(map(len, pieces)) <= 6 * ESCAPE_BYTES + 1000


def test_streaming_output_that_cannot_be_read_raises_its_error() -> None:
    with pytest.raises(OSError, match="disk"):
        asyncio.run(streamed(FakeOutput([b"a"], failure=OSError("disk"))))
