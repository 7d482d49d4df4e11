"""The slots of connections that all workers share, spread evenly among them."""

from collections.abc import Sequence

from ..scoreboard import ACCEPTING, BEAT, CONNECTION_SLOTS
from ..shared_slots import ALIVE_MILLISECONDS, Semaphore, SharedSlots

FEW = 4
LEAD = 3
LEAD_DIVISOR = 16
"""A worker lets others accept first when it has more connections than they have: while it has FEW or less, any more;
else by more than LEAD, or 1/16 of its own. Without any lead, a burst would be accepted one by one, each worker waiting
for the other to come round to it."""


class SharedConnectionSlots:
    """Slots of a semaphore; as execwire.adapters.tcp.connection_slots.ConnectionSlots."""

    def __init__(self, semaphore: Semaphore, row: memoryview, others: Sequence[memoryview]) -> None:
        """Count in `row`; `others` are the rows of the other workers."""
        slots = SharedSlots(semaphore, row, others)
        self._row = row
        self._others = others
        self.take = slots.take
        self.give = slots.give
        self.is_full = slots.is_full

    def others_first(self, pending: int) -> bool:
        """Whether another worker, which is alive and accepts, has clearly fewer connections than this one.

        `pending` connections have been accepted here and have no slot yet.
        """
        own, now = self._row[CONNECTION_SLOTS] + pending, self._row[BEAT]
        limit = own if own <= FEW else own - max(LEAD, own // LEAD_DIVISOR)
        return any(
            other[ACCEPTING] and other[CONNECTION_SLOTS] < limit and now < other[BEAT] + ALIVE_MILLISECONDS
            for other in self._others
        )
