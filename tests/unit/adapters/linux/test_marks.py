"""Marks: no two tasks have the same, and no two that live have the same second one."""

import resource
import secrets

import pytest

from execwire.adapters.linux.marks import MARKS, RANGE, Marks, new_range_start, own_range_start, range_start, set_mark
from execwire.adapters.linux.procfs import RLIMIT_LOCKS
from execwire.adapters.linux.timer_slack import NUMBERS

START = 3 * RANGE


class Counter:
    """Marks whose recounts a test answers, or not."""

    def __init__(self) -> None:
        self.asked = 0
        self.marks = Marks(START, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def new(self, count: int) -> list[int]:
        return [self.marks.new() for _ in range(count)]

    def through_half(self, *carried: int) -> list[int]:
        """Hand out until the next half begins, of which `carried` second marks are still in use; return its first."""
        asked, mark = self.asked, 0
        self.marks.counted(carried)
        while self.asked == asked:
            mark = self.marks.new()
        return [mark]


def test_ranges_are_never_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([0, 0, 1])

    def draw(_: int) -> int:
        return next(drawn)

    monkeypatch.setattr(secrets, "randbelow", draw)
    assert new_range_start(()) == RANGE
    assert new_range_start({RANGE}) == 2 * RANGE


def test_all_ranges_are_below_the_highest_mark_and_none_is_that_of_small_numbers() -> None:
    for _ in range(1000):
        start = new_range_start(())
        assert RANGE <= start < MARKS
        assert start + RANGE <= MARKS
        assert range_start(start) == range_start(start + RANGE - 1) == start


def test_a_process_bears_its_range_until_it_bears_another() -> None:
    before = resource.getrlimit(RLIMIT_LOCKS)
    set_mark(START + 5)
    try:
        assert own_range_start() == START
    finally:
        resource.setrlimit(RLIMIT_LOCKS, before)


def test_marks_are_of_their_range_and_no_two_alike() -> None:
    given = Counter().new(3 * NUMBERS)
    assert len(set(given)) == len(given)
    assert {range_start(mark) for mark in given} == {START}
    assert START not in given


def test_the_owner_of_a_second_mark_is_the_last_task_that_got_it() -> None:
    counter = Counter()
    first, second = counter.new(2)
    assert counter.marks.owner(first % NUMBERS) == first
    assert counter.marks.owner(second % NUMBERS) == second
    assert counter.marks.owner(second % NUMBERS + 1) is None


def test_a_second_mark_that_a_living_process_carries_is_left_out_and_keeps_its_owner() -> None:
    counter = Counter()
    daemon = counter.new(5)[-1]
    number = daemon % NUMBERS
    counter.through_half()
    (first,) = counter.through_half(number)
    round_of_it = [first, *counter.new(10)]
    assert number not in {mark % NUMBERS for mark in round_of_it}
    assert counter.marks.owner(number) == daemon
    assert counter.marks.owner(number + 1) in round_of_it
    # The next time it is free again.
    counter.through_half()
    (first,) = counter.through_half()
    assert number in {mark % NUMBERS for mark in [first, *counter.new(10)]}


def test_it_stays_left_out_for_as_long_as_it_is_carried() -> None:
    counter = Counter()
    daemon = counter.new(5)[-1]
    number = daemon % NUMBERS
    for _ in range(3):
        counter.through_half()
        counter.through_half(number)
        counter.new(10)
        assert counter.marks.owner(number) == daemon


def test_while_it_is_not_known_which_are_carried_marks_have_no_second_one() -> None:
    counter = Counter()
    counter.new(NUMBERS)
    asked = counter.asked
    plain = counter.new(3)
    assert [mark % NUMBERS for mark in plain] == [0, 0, 0]
    assert len(set(plain)) == 3
    # It is asked for again and again.
    assert counter.asked == asked + 3
    counter.marks.counted(())
    assert counter.new(1)[0] % NUMBERS != 0


def test_no_task_has_a_second_mark_of_nothing_but_for_that() -> None:
    counter = Counter()
    given = counter.new(10)
    for _ in range(4):
        given += counter.through_half()
        given += counter.new(10)
    assert 0 not in {mark % NUMBERS for mark in given}
