"""How much of what one client has sent is taken in one go, before the others get their turn."""

from enum import Enum, auto

from ...protocol.framing import LineFramer, Oddity
from ...protocol.requests import DecodedRequest, InvalidRequest, decode_request
from ...protocol.truncated import read_id
from .context import ConnectionContext
from .liveness import Countdown
from .pipeline import Pipeline, estimate

LINES_AT_ONCE = 16
"""Taken from one client as they arrive."""
LINES_A_TURN = 32
"""Taken from one client when it is its turn again: what is not valid is answered at once and costs no slot."""
BULK_BYTES = 16 * 1024
"""What is more than that at hand is taken only in its turn, and a turn ends when so much has been taken."""


class End(Enum):
    """What was at its end when no more lines were taken."""

    BYTES = auto()
    LINES = auto()
    """What is left is a part of one, if anything."""
    ROOM = auto()
    """The client has, or the agent has, enough in hand."""
    MEMORY = auto()
    """What the client may hold."""
    ITERATION = auto()
    """What one iteration of the event loop is to be spent on."""


class Batch:
    """Hands lines on from one framer, for as long as its client may ask for more."""

    __slots__ = ("_counted", "_framer", "_holder", "_intake", "_max_line", "_patience", "_pending", "_pipeline")

    def __init__(self, framer: LineFramer, pipeline: Pipeline, context: ConnectionContext, patience: Countdown) -> None:
        """Stop `patience` whenever a line is taken."""
        self._framer = framer
        self._pending = framer.pending
        self._pipeline = pipeline
        self._holder = pipeline.holder
        self._intake = context.intake
        self._max_line = context.max_line
        self._patience = patience
        # Of what is at hand, so much is charged.
        self._counted = 0

    @property
    def is_bulk(self) -> bool:
        """Whether there is more than is taken at once."""
        return len(self._pending) > BULK_BYTES

    def take(self, most: int, *, granted: bool) -> End:
        """Take up to `most` lines; with `granted` there is room for the first of them, whatever the intake says."""
        end = self._take_lines(most, granted=granted)
        if end is not End.BYTES or self._counted:
            self._count()
        return end

    def _take_lines(self, most: int, *, granted: bool) -> End:
        pipeline, pending, budget = self._pipeline, self._pending, self._holder.budget
        at_hand = len(pending)
        if at_hand > BULK_BYTES and most == LINES_AT_ONCE:
            return End.ITERATION
        while not pipeline.full and (granted or self._intake.has_room):
            if budget.free <= 0 and not self._may_take():
                return End.MEMORY
            line = self._framer.next_line()
            if line is not None:
                granted = False
                self._take(line)
            if line is None or (line is Oddity.TOO_LONG and not pending):
                # The rest of one that was too long may be still to come.
                return End.LINES
            if not pending:
                return End.ROOM if self._pipeline.full else End.BYTES
            most -= 1
            if most <= 0 or at_hand - len(pending) > BULK_BYTES:
                return End.ITERATION
        return End.ROOM

    def take_last(self, line: bytes) -> None:
        """Take a line that was ended by the end of the stream: only a whole object counts."""
        if line.strip():
            incoming = decode_request(line)
            if isinstance(incoming, DecodedRequest) or incoming.is_object:
                self._pipeline.take(incoming, line)

    def _take(self, line: bytes | Oddity) -> None:
        if self._patience.running:
            self._patience.stop()
        if line is Oddity.TOO_LONG:
            reason = f"The line is longer than {self._max_line} bytes"
            self._pipeline.take(InvalidRequest(reason, read_id(self._framer.take_beginning())))
        elif line.strip():
            self._pipeline.take(decode_request(line), line)

    def _may_take(self) -> bool:
        """Whether the next line, as a request, would leave this client within its share."""
        self._count()
        end = self._pending.find(b"\n")
        if end < 0:
            return True
        memory = estimate(end, self._pending.count(b",", 0, end) + 1)
        if self._holder.held - end + memory <= self._holder.budget.share:
            return True
        return self._pipeline.empty and self._holder.budget.let_past(self._is_through)

    def _is_through(self) -> bool:
        return self._pipeline.empty

    def _count(self) -> None:
        at_hand = len(self._pending)
        # What a bytearray keeps in reserve.
        at_hand += at_hand >> 3
        if at_hand != self._counted:
            self._holder.charge(at_hand - self._counted)
            self._counted = at_hand
