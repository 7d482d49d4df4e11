"""Splits a stream of bytes into lines of limited length, and detects streams that do not begin with a JSON object."""

from enum import Enum, auto

BLANKS = b" \t\r\n"
"""JSON's white space (RFC 8259, section 2)."""
FOREIGN = "refused: this port takes JSON objects, one per line, and a connection must begin with one; not HTTP, not TLS"
"""The error that is sent to a client whose stream is `foreign`."""
_OBJECT_START = 0x7B
_CARRIAGE_RETURN = 13


class BadLine(Enum):
    """Why a line cannot be decoded."""

    TOO_LONG = auto()
    """Over the limit. `take_beginning` returns the bytes up to the limit; the rest of the line is discarded."""


class LineFramer:
    r"""Splits a stream of bytes into lines of at most `max_line` bytes, `\n` or `\r\n` not counted.

    Buffers at most one partial line in addition to complete lines that have not been taken. A stream whose first
    non-blank byte does not begin an object is `foreign`: it is another protocol, and no line of it is ever returned.
    That is decided before any limit applies, since a web page, or a program that was tricked, can send whole request
    lines within its own protocol.
    """

    __slots__ = ("_begun", "_buffer", "_max_line", "_searched", "_skipping", "_too_long", "foreign", "pending")

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        # The bytes that were fed and not yet taken; read-only for others.
        self.pending = self._buffer
        # Up to this offset the buffer has no newline, so that a line that arrives in small pieces is not searched from
        # its start for each of them.
        self._searched = 0
        # Whether the rest of a line that is too long is being discarded.
        self._skipping = False
        # Whether a non-blank byte has arrived.
        self._begun = False
        self.foreign = False
        # The beginning of the last line that was too long, up to the limit.
        self._too_long = b""

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        if not self._begun and (stripped := data.lstrip(BLANKS)):
            self._begun = True
            self.foreign = stripped[0] != _OBJECT_START
            self._buffer.clear()
            data = stripped
        # Leading blanks stay in the buffer until `next_line`, so that a flood of them is scheduled like other input.
        if not self.foreign:
            self._buffer += data

    def next_line(self) -> bytes | BadLine | None:
        """Return the next complete line without its newline, or why it is bad, or None if there is no complete line."""
        buffer = self._buffer
        if not self._begun:
            buffer.clear()
            return None
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            return self._partial()
        self._searched = 0
        if self._skipping:
            self._skipping = False
            del buffer[: end + 1]
            return self.next_line()
        over = end > self._max_line and _is_over(buffer, end, self._max_line)
        line = self._skip_line() if over else bytes(buffer[:end])
        del buffer[: end + 1]
        return line

    def take_beginning(self) -> bytes:
        """Return the beginning of the last line that was too long, up to the limit, and discard it."""
        beginning, self._too_long = self._too_long, b""
        return beginning

    @property
    def has_partial(self) -> bool:
        """Whether an incomplete line has begun."""
        return bool(self._buffer) or self._skipping

    @property
    def partial(self) -> bytes:
        """The bytes after the last newline."""
        return b"" if self._skipping else bytes(self._buffer)

    def clear(self) -> None:
        """Discard what has not been taken."""
        self._buffer.clear()
        self._searched = 0

    def _partial(self) -> BadLine | None:
        over = _is_over(self._buffer, len(self._buffer), self._max_line)
        if not (over or self._skipping):
            self._searched = len(self._buffer)
            return None
        line = None if self._skipping else self._skip_line()
        self._skipping = True
        self.clear()
        return line

    def _skip_line(self) -> BadLine:
        self._too_long = bytes(self._buffer[: self._max_line])
        return BadLine.TOO_LONG


def _is_over(buffer: bytearray, length: int, max_line: int) -> bool:
    # A carriage return at the end is part of the newline, which may not have arrived yet.
    return length > max_line and not (length == max_line + 1 and buffer[max_line] == _CARRIAGE_RETURN)
