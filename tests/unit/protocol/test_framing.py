import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.protocol.framing import BadLine, LineFramer

MAX_LINE = 64
MIB = 1024 * 1024


OBJECT = b"{}"
"""The required beginning of a stream; the tests below are about the bytes after it."""


def begun(max_line: int = MAX_LINE) -> LineFramer:
    framer = LineFramer(max_line)
    framer.feed(OBJECT + b"\n")
    assert framer.next_line() == (OBJECT if max_line >= len(OBJECT) else BadLine.TOO_LONG)
    return framer


def lines_of(framer: LineFramer) -> list[bytes | BadLine]:
    lines: list[bytes | BadLine] = []
    while (line := framer.next_line()) is not None:
        lines.append(line)
    return lines


def framed(*pieces: bytes, max_line: int = MAX_LINE) -> list[bytes | BadLine]:
    framer = begun(max_line)
    lines: list[bytes | BadLine] = []
    for piece in pieces:
        framer.feed(piece)
        lines += lines_of(framer)
    return lines


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def test_stream_is_split_at_newlines() -> None:
    assert framed(b"one\ntwo\n\nthr", b"ee\nrest") == [b"one", b"two", b"", b"three"]


def test_packet_of_100_lines_gives_100_lines() -> None:
    # Hazard 24.
    packet = b"".join(b'{"command":["%d"]}\n' % number for number in range(100))
    assert framed(packet) == packet.splitlines()


def test_line_that_arrives_byte_by_byte_is_complete() -> None:
    # Hazard 24; the pieces split every character in two.
    line = json.dumps({"command": ["äöü€😀"]}, ensure_ascii=False).encode()
    assert framed(*byte_by_byte(line + b"\n")) == [line]


@pytest.mark.parametrize("max_line", [1, MAX_LINE, 63 * 1024, 64 * 1024, 65 * 1024, MIB])
@pytest.mark.parametrize("in_small_pieces", [False, True])
def test_lines_up_to_the_limit_are_accepted(max_line: int, in_small_pieces: bool) -> None:  # noqa: FBT001
    # Hazards 20 and 22.
    for length in (max_line - 1, max_line, max_line + 1):
        stream = b"x" * length + b"\nnext\n"
        size = max(1, max_line // 7) if in_small_pieces else len(stream)
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        wanted = BadLine.TOO_LONG if length > max_line else b"x" * length
        after = BadLine.TOO_LONG if max_line < len(b"next") else b"next"
        assert framed(*pieces, max_line=max_line) == [wanted, after]


def test_line_over_the_limit_is_reported_once_and_before_its_end() -> None:
    framer = begun()
    framer.feed(b"x" * (MAX_LINE + 1))
    assert lines_of(framer) == [BadLine.TOO_LONG]
    framer.feed(b"x" * 1000)
    assert lines_of(framer) == []
    framer.feed(b"x\nnext\n")
    assert lines_of(framer) == [b"next"]


def test_100_megabytes_without_a_newline_are_not_buffered() -> None:
    # Hazard 22.
    framer = begun(MIB)
    lines: list[bytes | BadLine] = []
    packet = bytes(256 * 1024)
    for _ in range(400):
        framer.feed(packet)
        lines += lines_of(framer)
        assert len(framer.partial) <= MIB + len(packet)
    assert lines == [BadLine.TOO_LONG]
    framer.feed(b"\n{}\n")
    assert lines_of(framer) == [b"{}"]


def test_two_lines_over_the_limit_are_reported_separately() -> None:
    assert framed((b"x" * 65 + b"\n") * 2, b"y\n") == [BadLine.TOO_LONG, BadLine.TOO_LONG, b"y"]


def test_partial_is_the_bytes_after_the_last_newline() -> None:
    framer = begun()
    seen = [(framer.partial, framer.has_partial)]
    for data, lines in ((b"one\ntw", [b"one"]), (b"o\n", [b"two"])):
        framer.feed(data)
        assert lines_of(framer) == lines
        seen.append((framer.partial, framer.has_partial))
    assert seen == [(b"", False), (b"tw", True), (b"", False)]


def test_rest_of_a_line_over_the_limit_is_discarded() -> None:
    # It still counts as an incomplete line, so that its timer runs.
    framer = begun()
    framer.feed(b"x" * 65)
    assert lines_of(framer) == [BadLine.TOO_LONG]
    framer.feed(b'{"command":["a"]}')
    assert lines_of(framer) == []
    assert framer.partial == b""
    assert framer.has_partial


def test_cleared_bytes_are_not_returned() -> None:
    framer = begun()
    framer.feed(b"half a li")
    assert lines_of(framer) == []
    framer.clear()
    framer.feed(b"whole\n")
    assert lines_of(framer) == [b"whole"]


@given(st.binary(max_size=300), st.data())
def test_lines_do_not_depend_on_how_the_stream_is_split(data: bytes, draw: st.DataObject) -> None:
    stream = data.replace(b" ", b"\n") + b"\n"
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = framed(stream)
    assert framed(*pieces) == whole
    assert framed(*byte_by_byte(stream)) == whole
    assert whole == [line if len(line) <= MAX_LINE else BadLine.TOO_LONG for line in stream.split(b"\n")[:-1]]
