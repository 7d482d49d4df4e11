"""How much of what one client has sent is taken in one go, before the others get their turn."""

from collections.abc import Callable
from enum import Enum, auto

from ...domain.ports import TaskIntake
from .exchanges import Exchanges
from .framing import LineFramer, Oddity

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
    ITERATION = auto()
    """What one iteration of the event loop is to be spent on."""


class Batch:
    """Hands lines on from one framer, for as long as its client may ask for more."""

    __slots__ = ("_exchanges", "_framer", "_intake", "_pending", "_take")

    def __init__(
        self, framer: LineFramer, exchanges: Exchanges, intake: TaskIntake, take: Callable[[bytes | Oddity], None]
    ) -> None:
        """Take nothing before it is asked for."""
        self._framer = framer
        self._pending = framer.pending
        self._exchanges = exchanges
        self._intake = intake
        self._take = take

    @property
    def is_bulk(self) -> bool:
        """Whether there is more than is taken at once."""
        return len(self._pending) > BULK_BYTES

    def take(self, most: int, *, granted: bool) -> End:
        """Take up to `most` lines; with `granted` there is room for the first of them, whatever the intake says."""
        exchanges, pending = self._exchanges, self._pending
        at_hand = len(pending)
        if at_hand > BULK_BYTES and most == LINES_AT_ONCE:
            return End.ITERATION
        while not exchanges.full and (granted or self._intake.has_room):
            line = self._framer.next_line()
            if line is None:
                return End.LINES
            granted = False
            self._take(line)
            if not pending:
                if line is Oddity.TOO_LONG:
                    # Its rest may be still to come.
                    return End.LINES
                return End.ROOM if self._exchanges.full else End.BYTES
            most -= 1
            if most <= 0 or at_hand - len(pending) > BULK_BYTES:
                return End.ITERATION
        return End.ROOM
