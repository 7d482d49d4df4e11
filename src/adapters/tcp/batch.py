"""How much of what one client has sent is taken in one go, before the others get their turn."""

from enum import Enum, auto

from ...protocol.framing import BadLine, LineFramer
from ...protocol.requests import DecodedRequest, InvalidRequest, decode_request
from ...protocol.truncated import read_id
from .context import ConnectionContext
from .liveness import OneShotTimer
from .pipeline import Pipeline, estimate

LINES_ON_ARRIVAL = 16
"""Taken from one client as they arrive."""
LINES_PER_ITERATION = 32
"""Taken from one client when it is its turn again: what is not valid is answered at once and costs no slot."""
BULK_BYTES = 16 * 1024
"""What is more than that at hand is taken only in its turn, and a turn ends when so much has been taken."""


class BatchEnd(Enum):
    """What was at its end when no more lines were taken."""

    BUFFER_EMPTY = auto()
    NO_COMPLETE_LINE = auto()
    """What is left is a part of one, if anything."""
    NO_CAPACITY = auto()
    """The client has, or the agent has, enough in hand."""
    NO_MEMORY = auto()
    """What the client may hold."""
    YIELD = auto()
    """What one iteration of the event loop is to be spent on."""


class Batch:
    """Hands lines on from one framer, for as long as its client may ask for more."""

    __slots__ = ("_charged", "_framer", "_holder", "_intake", "_line_timer", "_max_line", "_pending", "_pipeline")

    def __init__(
        self, framer: LineFramer, pipeline: Pipeline, context: ConnectionContext, line_timer: OneShotTimer
    ) -> None:
        """Stop `patience` whenever a line is taken."""
        self._framer = framer
        self._pending = framer.pending
        self._pipeline = pipeline
        self._holder = pipeline.holder
        self._intake = context.intake
        self._max_line = context.max_line
        self._line_timer = line_timer
        # Of what is at hand, so much is charged.
        self._charged = 0

    @property
    def is_bulk(self) -> bool:
        """Whether there is more than is taken at once."""
        return len(self._pending) > BULK_BYTES

    def handle_lines(self, most: int, *, granted: bool) -> BatchEnd:
        """Take up to `most` lines; with `granted` there is room for the first of them, whatever the intake says."""
        end = self._handle_lines(most, granted=granted)
        if end is not BatchEnd.BUFFER_EMPTY or self._charged:
            self._charge_buffer()
        return end

    def _handle_lines(self, most: int, *, granted: bool) -> BatchEnd:
        pipeline, pending, budget = self._pipeline, self._pending, self._holder.budget
        at_hand = len(pending)
        if at_hand > BULK_BYTES and most == LINES_ON_ARRIVAL:
            return BatchEnd.YIELD
        while not pipeline.full and (granted or self._intake.has_capacity):
            if budget.free <= 0 and not self._fits():
                return BatchEnd.NO_MEMORY
            line = self._framer.next_line()
            if line is not None:
                granted = False
                self._handle_line(line)
            if line is None or (line is BadLine.TOO_LONG and not pending):
                # The rest of one that was too long may be still to come.
                return BatchEnd.NO_COMPLETE_LINE
            if not pending:
                return BatchEnd.NO_CAPACITY if self._pipeline.full else BatchEnd.BUFFER_EMPTY
            most -= 1
            if most <= 0 or at_hand - len(pending) > BULK_BYTES:
                return BatchEnd.YIELD
        return BatchEnd.NO_CAPACITY

    def handle_final_line(self, line: bytes) -> None:
        """Take a line that was ended by the end of the stream: only a whole object counts."""
        if line.strip():
            incoming = decode_request(line)
            if isinstance(incoming, DecodedRequest) or incoming.is_object:
                self._pipeline.submit(incoming, line)

    def _handle_line(self, line: bytes | BadLine) -> None:
        if self._line_timer.running:
            self._line_timer.stop()
        if line is BadLine.TOO_LONG:
            reason = f"The line is longer than {self._max_line} bytes"
            self._pipeline.submit(InvalidRequest(reason, read_id(self._framer.take_beginning())))
        elif line.strip():
            self._pipeline.submit(decode_request(line), line)

    def _fits(self) -> bool:
        """Whether the next line, as a request, would leave this client within its share."""
        self._charge_buffer()
        end = self._pending.find(b"\n")
        if end < 0:
            return True
        memory = estimate(end, self._pending.count(b",", 0, end) + 1)
        if self._holder.charged - end + memory <= self._holder.budget.share:
            return True
        return self._pipeline.empty and self._holder.budget.let_past(self._is_idle)

    def _is_idle(self) -> bool:
        return self._pipeline.empty

    def _charge_buffer(self) -> None:
        at_hand = len(self._pending)
        # What a bytearray keeps in reserve.
        at_hand += at_hand >> 3
        if at_hand != self._charged:
            self._holder.charge(at_hand - self._charged)
            self._charged = at_hand
