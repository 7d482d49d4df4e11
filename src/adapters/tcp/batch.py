"""How many lines of one client are handled in one event-loop iteration."""

from enum import Enum, auto

from ...protocol.framing import BadLine, LineFramer
from ...protocol.requests import DecodedRequest, InvalidRequest, decode_request
from ...protocol.truncated import read_id
from .context import ConnectionContext
from .liveness import OneShotTimer
from .pipeline import Pipeline, estimate

LINES_AT_ONCE = 16
"""Lines of one client that are handled outside of scheduled reads: when bytes arrive or a result has been sent."""
LINES_PER_SCHEDULED_READ = 32
"""Lines of one client in a scheduled read (ReadFlow); the limit matters for invalid ones, which need no slot."""
BULK_BYTES = 16 * 1024
"""A larger buffer is handled in scheduled reads only, and a batch ends after so many bytes."""


class BatchEnd(Enum):
    """Why a batch has ended."""

    BUFFER_EMPTY = auto()
    NO_COMPLETE_LINE = auto()
    """The buffer holds at most a part of a line."""
    NO_CAPACITY = auto()
    """The client's limit of requests in flight is reached, or the agent is full."""
    NO_MEMORY = auto()
    """The common half of the memory is used up, and the client would hold more than its share."""
    YIELD = auto()
    """The limit for one event-loop iteration is reached."""


class Batch:
    """Passes lines from the framer to the pipeline, as long as the client may send more requests."""

    __slots__ = ("_framer", "_holder", "_intake", "_line_timer", "_max_line", "_pending", "_pipeline", "charged")

    def __init__(
        self, framer: LineFramer, pipeline: Pipeline, context: ConnectionContext, line_timer: OneShotTimer
    ) -> None:
        """`line_timer` is stopped whenever a line is complete."""
        self._framer = framer
        self._pending = framer.pending
        self._pipeline = pipeline
        self._holder = pipeline.holder
        self._intake = context.intake
        self._max_line = context.max_line
        self._line_timer = line_timer
        # How many bytes are charged for the buffer.
        self.charged = 0

    @property
    def is_bulk(self) -> bool:
        """Whether the buffer is too large to be handled at once."""
        return len(self._pending) > BULK_BYTES

    def handle_lines(self, *, scheduled: bool, granted: bool) -> BatchEnd:
        """Handle some lines, more if `scheduled`; `granted` allows the first one even if the intake has no capacity.

        The caller then calls `charge_buffer`, unless the buffer is empty and nothing is charged for it.
        """
        pipeline, pending, budget = self._pipeline, self._pending, self._holder.budget
        buffered = len(pending)
        if buffered > BULK_BYTES and not scheduled:
            return BatchEnd.YIELD
        max_lines = LINES_PER_SCHEDULED_READ if scheduled else LINES_AT_ONCE
        while not pipeline.full and (granted or self._intake.has_capacity):
            if budget.free <= 0 and not self._fits():
                return BatchEnd.NO_MEMORY
            line = self._framer.next_line()
            if line is None:
                return BatchEnd.NO_COMPLETE_LINE
            granted = False
            if self._line_timer.running:
                self._line_timer.stop()
            empty = BatchEnd.BUFFER_EMPTY
            if line is BadLine.TOO_LONG:
                self._reject_long_line()
                # The rest of the line may not have arrived yet.
                empty = BatchEnd.NO_COMPLETE_LINE
            elif line[:1] == b"{" or line.strip():
                pipeline.submit(decode_request(line), line)
            if not pending:
                return BatchEnd.NO_CAPACITY if self._pipeline.full and empty is BatchEnd.BUFFER_EMPTY else empty
            max_lines -= 1
            if max_lines <= 0 or buffered - len(pending) > BULK_BYTES:
                return BatchEnd.YIELD
        return BatchEnd.NO_CAPACITY

    def handle_final_line(self, line: bytes) -> None:
        """Handle a line that end-of-file has ended; ignore it unless it is a complete JSON object."""
        if line.strip():
            incoming = decode_request(line)
            if isinstance(incoming, DecodedRequest) or incoming.is_object:
                self._pipeline.submit(incoming, line)

    def _reject_long_line(self) -> None:
        reason = f"The line is longer than {self._max_line} bytes"
        self._pipeline.submit(InvalidRequest(reason, read_id(self._framer.take_beginning())))

    def _fits(self) -> bool:
        """Whether the client stays within its share of memory with the next line as a request."""
        self.charge_buffer()
        end = self._pending.find(b"\n")
        if end < 0:
            return True
        memory = estimate(end, self._pending.count(b",", 0, end) + 1)
        if self._holder.charged - end + memory <= self._holder.budget.share:
            return True
        return self._pipeline.empty and self._holder.budget.let_past(self._is_idle)

    def _is_idle(self) -> bool:
        return self._pipeline.empty

    def charge_buffer(self) -> None:
        """Charge the client with what is in the buffer now."""
        buffered = len(self._pending)
        # A bytearray over-allocates by about an eighth.
        buffered += buffered >> 3
        if buffered != self.charged:
            self._holder.charge(buffered - self.charged)
            self.charged = buffered
