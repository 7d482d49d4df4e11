"""Marks: numbers that identify all processes of a task.

A mark is stored in the soft limit RLIMIT_LOCKS, which Linux does not enforce. Each worker has a range of marks that no
other worker or agent has; numbers outside of it are ignored. A mark modulo SECOND_MARKS is the second, smaller mark.
"""

import resource
import secrets
from collections.abc import Callable, Collection, Iterable

from .procfs import RLIMIT_LOCKS
from .timer_slack import SECOND_MARKS

RANGE = 2**40
"""Number of marks of one worker."""
MARKS = 2**62
"""All marks are less than this."""
_HALF = SECOND_MARKS // 2
_PLAIN = RANGE // 2


def new_range_start(taken: Collection[int]) -> int:
    """Return the start of a random range that is not in `taken`; only by chance does another agent have the same."""
    while True:
        start = secrets.randbelow(MARKS // RANGE - 1) * RANGE + RANGE
        if start not in taken:
            return start


def range_start(mark: int) -> int:
    """Return the start of the range to which a mark belongs."""
    return mark - mark % RANGE


def own_range_start() -> int:
    """Return the start of the range of this process's own mark; 0 if it has no mark."""
    soft, _ = resource.getrlimit(RLIMIT_LOCKS)
    return 0 if soft == resource.RLIM_INFINITY else range_start(soft)


def set_mark(mark: int) -> None:
    """Set the mark of this process and of the processes it starts from now on. Raises OSError if not permitted."""
    resource.setrlimit(RLIMIT_LOCKS, (mark, resource.getrlimit(RLIMIT_LOCKS)[1]))


class Marks:
    """Allocates the marks of a range; no two living processes of different tasks have the same second mark.

    There are few second marks; they are allocated in two alternating halves. When one half begins, `recount` is called,
    and `counted` has to report which second marks are in use; those of the other half are skipped when it begins.
    If `counted` has not been called by then, marks without a second mark are allocated.
    """

    def __init__(self, start: int, recount: Callable[[], object]) -> None:
        """Allocate marks from `start` on, the start of a range; `recount` is called when `counted` has to be called."""
        self._start = start
        self._recount = recount
        self._next = start + 1
        self._end = start + _HALF
        # The next half's second marks that are in use, with their owners. None until `counted` is called.
        self._counted: dict[int, int] | None = {}
        # Marks of the current half that are skipped.
        self._skipped: set[int] = set()
        # Skipped second marks of both halves, with their owners.
        self._kept: dict[int, int] = {}
        self._plain = start + _PLAIN

    def new(self) -> int:
        """Return a mark that no task of this worker has had; marks without a second mark repeat after 2^24 of them."""
        mark = self._next
        if mark >= self._end or mark in self._skipped:
            return self._new_checked()
        self._next = mark + 1
        return mark

    def owner(self, second_mark: int) -> int | None:
        """Return the mark of the task whose living processes have this second mark; None if there is none."""
        if second_mark in self._kept:
            return self._kept[second_mark]
        last = self._next - 1
        mark = last - (last - second_mark) % SECOND_MARKS
        return mark if mark > self._start else None

    def counted(self, second_marks: Iterable[int]) -> None:
        """Record all second marks that a running task or a living process has."""
        next_half = self._end % SECOND_MARKS // _HALF
        owners = {second: self.owner(second) for second in second_marks if second // _HALF == next_half}
        self._counted = {second: mark for second, mark in owners.items() if mark is not None}

    def _new_checked(self) -> int:
        while True:
            if self._next >= self._end and not self._begin_half():
                self._plain += SECOND_MARKS
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
        half = self._end % SECOND_MARKS // _HALF
        kept = {second: mark for second, mark in self._kept.items() if second // _HALF != half}
        self._kept = kept | counted
        # A multiple of SECOND_MARKS would have the second mark 0, which means none.
        self._skipped = {self._end + second % _HALF for second in (*counted, 0) if second or not half}
        self._end += _HALF
        self._counted = None
        self._recount()
        return True
