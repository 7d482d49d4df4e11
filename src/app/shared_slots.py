"""A limit that is a total of all workers, exact whenever a worker dies: a semaphore that outlives them.

A slot is one unit of an eventfd(2), and is counted in the row of the worker that holds it. Between taking or giving a
unit and counting that, PHASE is odd: after a death, the supervisor waits until no living worker is in between, and then
makes the number of free units right again (`supervision/slot_repair.py`).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .scoreboard import BEAT, PHASE, QUEUED, SLOTS, WAITING

ALIVE_MILLISECONDS = 100
"""A worker whose last heartbeat is older than this is stopped or hangs: nobody waits for it."""

MAX_TOTAL = 100_000
"""No machine runs more; a repair takes each free slot once, in less than a microsecond."""


@dataclass(frozen=True, slots=True)
class Semaphore:
    """`total` slots, whose free ones are the units of `descriptor`; `column` counts those that a worker holds."""

    descriptor: int
    total: int
    column: int


def open_semaphore(total: int, column: int) -> Semaphore:
    """Return a semaphore of which every slot is free, MAX_TOTAL at most; raises OSError."""
    total = min(total, MAX_TOTAL)
    return Semaphore(os.eventfd(total, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC), total, column)


@dataclass(frozen=True, slots=True)
class Siblings:
    """What a worker shares with the others: the slots of tasks, the slots of connections, its row and theirs."""

    tasks: Semaphore
    connections: Semaphore
    row: memoryview
    others: Sequence[memoryview]


class SharedSlots:
    """The slots of one semaphore as one worker sees them; never blocks."""

    __slots__ = ("_row", "_semaphore", "descriptor", "others")

    def __init__(self, semaphore: Semaphore, row: memoryview, others: Sequence[memoryview]) -> None:
        """Count in `row`; `others` are the rows of the other workers."""
        self._semaphore = semaphore
        self._row = row
        self.others = others
        self.descriptor = semaphore.descriptor
        """Readable while a slot is free."""

    def take(self) -> bool:
        """Take a slot; return False if none is free."""
        row = self._row
        row[PHASE] += 1
        try:
            os.eventfd_read(self.descriptor)
            row[self._semaphore.column] += 1
        except BlockingIOError:
            return False
        finally:
            row[PHASE] += 1
        return True

    def take_in_turn(self) -> bool:
        """Take a slot; return False if none is free, or if tasks of another worker that is alive wait for one."""
        now = self._row[BEAT]
        for other in self.others:
            # As `others_wait`, inlined: this runs for every task.
            if other[WAITING] and now < other[BEAT] + ALIVE_MILLISECONDS:
                return False
        # As `take`, inlined too.
        row = self._row
        row[PHASE] += 1
        try:
            os.eventfd_read(self.descriptor)
            row[self._semaphore.column] += 1
        except BlockingIOError:
            return False
        finally:
            row[PHASE] += 1
        return True

    def give(self) -> None:
        """Give a slot back."""
        row = self._row
        row[PHASE] += 1
        try:
            row[self._semaphore.column] -= 1
            os.eventfd_write(self.descriptor, 1)
        finally:
            row[PHASE] += 1

    def is_full(self) -> bool:
        """Whether all slots are taken; if not, `take` fails only while the supervisor repairs the semaphore."""
        column = self._semaphore.column
        return self._row[column] + sum(other[column] for other in self.others) >= self._semaphore.total

    def others_wait(self) -> bool:
        """Whether tasks of another worker that is alive wait for a slot."""
        now = self._row[BEAT]
        for other in self.others:  # noqa: SIM110 -- any() is two more calls for each task
            if other[WAITING] and now < other[BEAT] + ALIVE_MILLISECONDS:
                return True
        return False

    def others_first(self) -> bool:
        """Whether tasks of another worker that is alive wait for a slot, and it has fewer slots than this one."""
        held, now = self._row[self._semaphore.column], self._row[BEAT]
        return any(
            other[WAITING] and other[self._semaphore.column] < held and now < other[BEAT] + ALIVE_MILLISECONDS
            for other in self.others
        )

    def capacity(self, max_queued: int, queued: int) -> int:
        """Return how many more tasks may run or be queued by all workers together, `queued` of them here."""
        used = self._row[SLOTS] + queued
        for other in self.others:
            used += other[SLOTS] + other[QUEUED]
        return self._semaphore.total + max_queued - used

    def set_waiting(self, *, waiting: bool) -> None:
        """Tell the other workers whether tasks of this one wait for a slot."""
        self._row[WAITING] = waiting
