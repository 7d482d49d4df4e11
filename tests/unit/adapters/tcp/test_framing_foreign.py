"""Hazard 32: what a web page can send to this port is known by its first bytes."""

import pytest

from execwire.adapters.tcp.framing import LineFramer, Oddity

MAX_LINE = 64
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"]
FOREIGN = [*(method + b" " for method in METHODS), b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01"]


def first(*pieces: bytes) -> bytes | Oddity | None:
    framer = LineFramer(MAX_LINE)
    for piece in pieces:
        framer.feed(piece)
        if (line := framer.next_line()) is not None:
            return line
    return None


@pytest.mark.parametrize("start", FOREIGN)
def test_http_and_tls_are_known_without_a_whole_line(start: bytes) -> None:
    assert first(start) is Oddity.FOREIGN


@pytest.mark.parametrize("start", FOREIGN)
def test_they_are_known_when_they_come_byte_by_byte(start: bytes) -> None:
    assert first(*(start[index : index + 1] for index in range(len(start)))) is Oddity.FOREIGN


@pytest.mark.parametrize("start", FOREIGN)
def test_a_start_over_the_limit_is_foreign_before_it_is_too_long(start: bytes) -> None:
    # Otherwise a URL longer than the limit would be skipped, and the body executed as further lines.
    assert first(start + b"x" * MAX_LINE * 3) is Oddity.FOREIGN
    assert first(start + b"x" * MAX_LINE * 3 + b'\n{"command":["id"]}\n') is Oddity.FOREIGN


@pytest.mark.parametrize("start", FOREIGN)
def test_they_are_known_at_the_start_of_a_later_line_too(start: bytes) -> None:
    framer = LineFramer(MAX_LINE)
    framer.feed(b"\n{}\n" + start)
    assert [framer.next_line() for _ in range(3)] == [b"", b"{}", Oddity.FOREIGN]


@pytest.mark.parametrize("start", FOREIGN)
def test_nothing_follows_them(start: bytes) -> None:
    framer = LineFramer(MAX_LINE)
    framer.feed(start + b'\n{"command":["id"]}\n')
    assert [framer.next_line() for _ in range(3)] == [Oddity.FOREIGN] * 3


def test_within_a_line_they_are_text() -> None:
    assert first(b'{"command":["echo","GET / HTTP/1.1"]}\n') == b'{"command":["echo","GET / HTTP/1.1"]}'


def test_within_a_line_over_the_limit_they_are_skipped_with_it() -> None:
    framer = LineFramer(MAX_LINE)
    framer.feed(b"x" * (MAX_LINE + 1))
    assert framer.next_line() is Oddity.TOO_LONG
    framer.feed(b"GET / HTTP/1.1\nnext\n")
    assert framer.next_line() == b"next"


@pytest.mark.parametrize("line", [b"GETTY", b"get /", b"GE", b"\x16\x04", b"\x16", b"POSTER "])
def test_what_only_looks_like_them_is_a_line_like_any_other(line: bytes) -> None:
    assert first(line + b"\n") == line
