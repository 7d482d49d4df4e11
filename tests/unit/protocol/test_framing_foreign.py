"""Hazard 32: another protocol is detected by the first byte that is not blank."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.protocol.framing import LineFramer

MAX_LINE = 64
MIB = 1024 * 1024
REQUEST = b'{"command":["id"]}\n'

BLANKS = st.text(" \t\r\n", max_size=3 * MAX_LINE).map(str.encode)
OTHER_BYTES = st.integers(0, 255).map(lambda number: bytes([number])).filter(lambda byte: byte not in b"{ \t\r\n")


def fed(*pieces: bytes) -> LineFramer:
    framer = LineFramer(MAX_LINE)
    for piece in pieces:
        framer.feed(piece)
    return framer


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    cuts = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(cuts)]


@given(BLANKS, OTHER_BYTES, st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=20))
def test_no_line_of_a_foreign_stream_is_returned(blanks: bytes, first: bytes, rest: bytes, places: list[int]) -> None:
    framer = LineFramer(MAX_LINE)
    for piece in cut(blanks + first + rest + b"\n" + REQUEST * 3, places):
        framer.feed(piece)
        assert framer.next_line() is None
    assert framer.foreign
    assert not framer.has_partial


@given(BLANKS, st.lists(st.integers(0, 1000), max_size=20))
def test_blanks_before_the_first_object_are_ignored(blanks: bytes, places: list[int]) -> None:
    framer = fed(*cut(blanks + REQUEST, places))
    assert not framer.foreign
    assert framer.next_line() == REQUEST.strip()


def test_long_line_of_another_protocol_is_foreign_and_not_too_long() -> None:
    # Otherwise a URL longer than the limit would be discarded, and the body executed as additional lines.
    assert fed(b"POST /" + b"x" * MAX_LINE * 3 + b" HTTP/1.1\r\n\r\n" + REQUEST).foreign


def test_three_megabytes_of_blanks_are_not_buffered() -> None:
    framer = LineFramer(MAX_LINE)
    tracemalloc.start()
    try:
        for _ in range(48):
            framer.feed(b" \r\n\t" * (16 * 1024))
            assert framer.next_line() is None
        assert tracemalloc.get_traced_memory()[0] < MIB // 4
    finally:
        tracemalloc.stop()
    assert not framer.has_partial
    framer.feed(REQUEST)
    assert framer.next_line() == REQUEST.strip()


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"\x16\x03\x01", b"[]", b"\xef\xbb\xbf{}", b"null", b"  x"])
def test_stream_that_begins_with_an_object_may_have_any_lines_after_it(line: bytes) -> None:
    framer = fed(b"{}\n" + line + b"\n" + REQUEST)
    assert [framer.next_line() for _ in range(3)] == [b"{}", line, REQUEST.strip()]
    assert not framer.foreign
