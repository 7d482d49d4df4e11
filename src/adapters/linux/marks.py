"""Marks: numbers by which everything that comes of a task is told from everything else.

A mark is the soft limit RLIMIT_LOCKS, which Linux does not enforce. Each worker has a range of them, which no other
worker or agent has, so that a foreign number means nothing here. Modulo NUMBERS, it is a second, smaller mark.
"""

import resource
import secrets
from collections.abc import Callable, Collection, Iterable

from .procfs import RLIMIT_LOCKS
from .timer_slack import NUMBERS

RANGE = 2**40
"""So many marks a worker has."""
MARKS = 2**62
"""All marks are below."""
_HALF = NUMBERS // 2
_PLAIN = RANGE // 2


def new_range_start(taken: Collection[int]) -> int:
    """Return the beginning of a range that is none of `taken`; another agent's may be the same by chance only."""
    while True:
        start = secrets.randbelow(MARKS // RANGE - 1) * RANGE + RANGE
        if start not in taken:
            return start


def range_start(mark: int) -> int:
    """Return the beginning of the range to which a mark belongs."""
    return mark - mark % RANGE


def own_range_start() -> int:
    """Return the range that this process bears itself."""
    soft, _ = resource.getrlimit(RLIMIT_LOCKS)
    return 0 if soft == resource.RLIM_INFINITY else range_start(soft)


def set_mark(mark: int) -> None:
    """Have this process, and what it starts from now on, bear a mark. Raises OSError where that may not be."""
    resource.setrlimit(RLIMIT_LOCKS, (mark, resource.getrlimit(RLIMIT_LOCKS)[1]))


class Marks:
    """Hands out the marks of a range, so that no two living processes of different tasks have the same second mark.

    Second marks are few, and are handed out in two halves by turns. While one half is handed out, `recount` wants to be
    told by `counted` which of the other are still carried; those are left out the next time. Until it is told, marks
    are handed out that have no second one.
    """

    def __init__(self, start: int, recount: Callable[[], object]) -> None:
        """Hand out marks from `start` on, the beginning of a range; `recount` is called when it is time to count."""
        self._start = start
        self._recount = recount
        self._next = start + 1
        self._end = start + _HALF
        # Of the half to come: whose the second marks are that are left out. None while that is not known.
        self._counted: dict[int, int] | None = {}
        # Marks of this half that are left out.
        self._skipped: set[int] = set()
        # Whose the second marks are that were left out in the last round.
        self._kept: dict[int, int] = {}
        self._plain = start + _PLAIN

    def new(self) -> int:
        """Return a mark that no task of this worker has had."""
        mark = self._next
        if mark >= self._end or mark in self._skipped:
            return self._new_with_care()
        self._next = mark + 1
        return mark

    def owner(self, number: int) -> int | None:
        """Return the mark of the task of which a living process carries this second mark; None if there is none."""
        if number in self._kept:
            return self._kept[number]
        last = self._next - 1
        mark = last - (last - number) % NUMBERS
        return mark if mark > self._start else None

    def counted(self, numbers: Iterable[int]) -> None:
        """Take note of all second marks that are carried by a running task or a living process."""
        coming = self._end % NUMBERS // _HALF
        owners = {number: self.owner(number) for number in numbers if number // _HALF == coming}
        self._counted = {number: mark for number, mark in owners.items() if mark is not None}

    def _new_with_care(self) -> int:
        while True:
            if self._next >= self._end and not self._begin_half():
                self._plain += NUMBERS
                if self._plain >= self._start + RANGE:
                    self._plain = self._start + _PLAIN
                return self._plain
            if self._next not in self._skipped:
                self._next += 1
                return self._next - 1
            self._next += 1

    def _begin_half(self) -> bool:
        counted = self._counted
        if counted is None:
            self._recount()
            return False
        half = self._end % NUMBERS // _HALF
        kept = {number: mark for number, mark in self._kept.items() if number // _HALF != half}
        self._kept = kept | counted
        # A multiple of NUMBERS would be no second mark.
        self._skipped = {self._end + number % _HALF for number in (*counted, 0) if number or not half}
        self._end += _HALF
        self._counted = None
        self._recount()
        return True
