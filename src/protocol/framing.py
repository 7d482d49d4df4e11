"""Bytes into lines: bounded, and only of a connection that begins as JSON objects do. Knows no more of JSON."""

from enum import Enum, auto

BLANKS = b" \t\r\n"
"""JSON's white space (RFC 8259, section 2)."""
FOREIGN = "refused: this port takes JSON objects, one per line, and a connection must begin with one; not HTTP, not TLS"
"""What a client is told whose stream is `foreign`."""
_OBJECT_START = 0x7B
_CARRIAGE_RETURN = 13


class BadLine(Enum):
    """What a line can be instead of one that is worth reading."""

    TOO_LONG = auto()
    """Over the limit. `take_beginning` returns what came until then; the rest is dropped, up to the next newline."""


class LineFramer:
    r"""Cuts a stream of bytes into lines of at most `max_line` bytes, `\n` or `\r\n` not counted.

    Holds at most one partial line in addition to what was fed and not yet taken. A stream whose first non-blank byte
    begins no object is `foreign`: another protocol, of which no line is ever returned. That is decided before any
    limit, since within its own protocol a web page, or a program that was tricked, can send whole request lines.
    """

    __slots__ = ("_begun", "_buffer", "_max_line", "_searched", "_skipping", "_too_long", "foreign", "pending")

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        # What was fed and not yet taken, to be looked at and not to be changed.
        self.pending = self._buffer
        # Up to where the buffer is known to hold no newline, so that a line that comes in small pieces is not searched
        # from its start for each of them.
        self._searched = 0
        # In the middle of a line that was given up as too long.
        self._skipping = False
        # Something that is not blank has arrived.
        self._begun = False
        self.foreign = False
        # Of the last line that was too long, as much as the limit allows.
        self._too_long = b""

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        if not self._begun and (begun := data.lstrip(BLANKS)):
            self._begun = True
            self.foreign = begun[0] != _OBJECT_START
            self._buffer.clear()
            data = begun
        # Blanks before the beginning are kept until they are asked for, so that a flood of them waits its turn.
        if not self.foreign:
            self._buffer += data

    def next_line(self) -> bytes | BadLine | None:
        """Return the next whole line without its newline, or what is wrong with it, or None until more is fed."""
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
        line = self._skip_line() if _is_over(buffer, end, self._max_line) else bytes(buffer[:end])
        del buffer[: end + 1]
        return line

    def take_beginning(self) -> bytes:
        """Return what the limit allowed of the last line that was too long, and forget it."""
        beginning, self._too_long = self._too_long, b""
        return beginning

    @property
    def has_partial(self) -> bool:
        """Whether a line has begun that is not complete."""
        return bool(self._buffer) or self._skipping

    @property
    def partial(self) -> bytes:
        """What stands after the last newline."""
        return b"" if self._skipping else bytes(self._buffer)

    def clear(self) -> None:
        """Forget what has not been taken: nobody will ask for it."""
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
    # A carriage return at the end belongs to the newline that has come, or may come next.
    return length > max_line and not (length == max_line + 1 and buffer[max_line] == _CARRIAGE_RETURN)
