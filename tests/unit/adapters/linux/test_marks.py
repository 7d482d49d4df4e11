"""Marks are unique, and no two living tasks have the same second mark."""

import resource
import secrets

import pytest

from execwire.adapters.linux.marks import MARKS, RANGE, Marks, new_range_start, own_range_start, range_start, set_mark
from execwire.adapters.linux.procfs import RLIMIT_LOCKS
from execwire.adapters.linux.timer_slack import SECOND_MARKS

START = 3 * RANGE


class Counter:
    """Marks with a count of `recount` calls, which a test answers or not."""

    def __init__(self) -> None:
        self.recounts = 0
        self.marks = Marks(START, self._on_recount)

    def _on_recount(self) -> None:
        self.recounts += 1

    def new(self, count: int) -> list[int]:
        return [self.marks.new() for _ in range(count)]

    def through_half(self, *in_use: int) -> list[int]:
        """Allocate until the next half begins, with second marks `in_use`; return its first mark."""
        recounts, mark = self.recounts, 0
        self.marks.counted(in_use)
        while self.recounts == recounts:
            mark = self.marks.new()
        return [mark]


def test_new_range_is_never_a_taken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([0, 0, 1])

    def draw(_: int) -> int:
        return next(drawn)

    monkeypatch.setattr(secrets, "randbelow", draw)
    assert new_range_start(()) == RANGE
    assert new_range_start({RANGE}) == 2 * RANGE


def test_all_ranges_are_below_the_highest_mark_and_none_starts_at_zero() -> None:
    for _ in range(1000):
        start = new_range_start(())
        assert RANGE <= start < MARKS
        assert start + RANGE <= MARKS
        assert range_start(start) == range_start(start + RANGE - 1) == start


def test_process_has_the_range_of_its_mark() -> None:
    before = resource.getrlimit(RLIMIT_LOCKS)
    set_mark(START + 5)
    try:
        assert own_range_start() == START
    finally:
        resource.setrlimit(RLIMIT_LOCKS, before)


def test_marks_are_unique_and_in_their_range() -> None:
    allocated = Counter().new(3 * SECOND_MARKS)
    assert len(set(allocated)) == len(allocated)
    assert {range_start(mark) for mark in allocated} == {START}
    assert START not in allocated


def test_owner_of_a_second_mark_is_the_last_task_that_got_it() -> None:
    counter = Counter()
    first, second = counter.new(2)
    assert counter.marks.owner(first % SECOND_MARKS) == first
    assert counter.marks.owner(second % SECOND_MARKS) == second
    assert counter.marks.owner(second % SECOND_MARKS + 1) is None


def test_second_mark_of_a_living_process_is_skipped_and_keeps_its_owner() -> None:
    counter = Counter()
    daemon = counter.new(5)[-1]
    number = daemon % SECOND_MARKS
    counter.through_half()
    (first,) = counter.through_half(number)
    allocated = [first, *counter.new(10)]
    assert number not in {mark % SECOND_MARKS for mark in allocated}
    assert counter.marks.owner(number) == daemon
    assert counter.marks.owner(number + 1) in allocated
    # In the next round it is free again.
    counter.through_half()
    (first,) = counter.through_half()
    assert number in {mark % SECOND_MARKS for mark in [first, *counter.new(10)]}


def test_second_mark_is_skipped_for_as_long_as_a_process_has_it() -> None:
    counter = Counter()
    daemon = counter.new(5)[-1]
    number = daemon % SECOND_MARKS
    for _ in range(3):
        counter.through_half()
        counter.through_half(number)
        counter.new(10)
        assert counter.marks.owner(number) == daemon


def test_marks_have_no_second_mark_until_those_in_use_are_counted() -> None:
    counter = Counter()
    counter.new(SECOND_MARKS)
    recounts = counter.recounts
    plain = counter.new(3)
    assert [mark % SECOND_MARKS for mark in plain] == [0, 0, 0]
    assert len(set(plain)) == 3
    # Each allocation calls `recount` again.
    assert counter.recounts == recounts + 3
    counter.marks.counted(())
    assert counter.new(1)[0] % SECOND_MARKS != 0


def test_second_mark_is_never_zero_after_counting() -> None:
    counter = Counter()
    allocated = counter.new(10)
    for _ in range(4):
        allocated += counter.through_half()
        allocated += counter.new(10)
    assert 0 not in {mark % SECOND_MARKS for mark in allocated}
