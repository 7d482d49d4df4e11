"""Slots that workers share: never more than there are, whoever takes them and whoever dies."""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execwire.app.scoreboard import BEAT, PHASE, QUEUED, SLOTS, WAITING, Scoreboard
from execwire.app.shared_slots import ALIVE_MILLISECONDS, Semaphore, SharedSlots, open_semaphore
from execwire.app.supervision import slot_repair
from execwire.app.supervision.slot_repair import repair

TOTAL = 3


class Sharing:
    """Two workers that share slots."""

    def __init__(self, total: int = TOTAL, workers: int = 2) -> None:
        self.semaphore = open_semaphore(total, SLOTS)
        self.rows = Scoreboard(workers).rows
        self.slots = [
            SharedSlots(self.semaphore, row, [other for other in self.rows if other is not row]) for row in self.rows
        ]

    def free(self) -> int:
        """Return how many units are free, and leave them so."""
        free = 0
        while self.slots[0].take():
            free += 1
        for _ in range(free):
            self.slots[0].give()
        return free

    def close(self) -> None:
        os.close(self.semaphore.descriptor)


@pytest.fixture
def sharing() -> Iterator[Sharing]:
    sharing = Sharing()
    yield sharing
    sharing.close()


def test_all_workers_together_take_no_more_than_the_total(sharing: Sharing) -> None:
    first, second = sharing.slots
    assert [first.take(), second.take(), first.take()] == [True, True, True]
    assert not second.take()
    assert (sharing.rows[0][SLOTS], sharing.rows[1][SLOTS]) == (2, 1)
    first.give()
    assert second.take()


def test_capacity_counts_slots_and_queues_of_all_workers(sharing: Sharing) -> None:
    first, second = sharing.slots
    second.take()
    sharing.rows[1][QUEUED] = 4
    assert first.capacity(max_queued=10, queued=2) == TOTAL - 1 + 10 - 4 - 2


def test_another_worker_waits_only_while_it_is_alive(sharing: Sharing) -> None:
    first, second = sharing.slots
    assert not first.others_wait()
    second.set_waiting(waiting=True)
    sharing.rows[0][BEAT] = sharing.rows[1][BEAT] = 1000
    assert first.others_wait()
    assert not second.others_wait()
    sharing.rows[0][BEAT] = 1000 + ALIVE_MILLISECONDS
    assert not first.others_wait()
    sharing.rows[1][BEAT] = 1000 + ALIVE_MILLISECONDS
    second.set_waiting(waiting=False)
    assert not first.others_wait()
    assert sharing.rows[1][WAITING] == 0


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "give", "take-and-die", "give-and-die", "die"]))))
def test_after_any_deaths_exactly_the_slots_of_the_dead_are_free_again(steps: list[tuple[int, str]]) -> None:
    sharing = Sharing(total=TOTAL, workers=3)
    held = [0, 0, 0]
    try:
        for worker, step in steps:
            row, slots = sharing.rows[worker], sharing.slots[worker]
            if step == "take":
                assert slots.take() == (sum(held) < TOTAL)
                held[worker] += sum(held) < TOTAL
            elif step == "give" and held[worker]:
                slots.give()
                held[worker] -= 1
            elif "die" in step:
                if step == "take-and-die" and sum(held) < TOTAL:
                    # Between taking the unit and counting it.
                    row[PHASE] += 1
                    os.eventfd_read(slots.descriptor)
                elif step == "give-and-die" and held[worker]:
                    # Between counting it and giving the unit back.
                    row[PHASE] += 1
                    row[SLOTS] -= 1
                for column in range(len(row)):
                    row[column] = 0
                held[worker] = 0
                assert repair([sharing.semaphore], [other for other in sharing.rows if other is not row])
            assert sharing.free() == TOTAL - sum(held)
    finally:
        sharing.close()


def test_a_worker_that_is_stopped_in_between_costs_one_slot_at_most_until_it_goes_on(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_repair, "QUIET_SECONDS", 0.01)
    stopped = sharing.rows[1]
    stopped[PHASE] += 1
    assert not repair([sharing.semaphore], [sharing.rows[0], stopped])
    assert sharing.free() == TOTAL - 1
    stopped[PHASE] += 1
    assert repair([sharing.semaphore], [sharing.rows[0], stopped])
    assert sharing.free() == TOTAL


def test_semaphores_of_different_columns_do_not_mix() -> None:
    rows = Scoreboard(1).rows
    tasks, places = Semaphore(os.eventfd(1, os.EFD_SEMAPHORE | os.EFD_NONBLOCK), 1, SLOTS), open_semaphore(2, QUEUED)
    assert SharedSlots(tasks, rows[0], []).take()
    assert SharedSlots(places, rows[0], []).take()
    assert (rows[0][SLOTS], rows[0][QUEUED]) == (1, 1)
    assert repair([tasks, places], [])
    assert SharedSlots(places, rows[0], []).capacity(0, 0) == 2 - 1
    for semaphore in (tasks, places):
        os.close(semaphore.descriptor)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_total_stays_right_while_workers_take_and_give_during_repairs() -> None:
    sharing = Sharing(total=TOTAL, workers=2)
    pids: list[int] = []
    for slots in sharing.slots:
        pid = os.fork()
        if pid == 0:
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                if slots.take():
                    slots.give()
            os._exit(0)
        pids.append(pid)
    repairs = 0
    while any(os.waitpid(pid, os.WNOHANG) == (0, 0) for pid in pids[:1]):
        repair([sharing.semaphore], sharing.rows)
        repairs += 1
    os.waitpid(pids[1], 0)
    assert repairs > 10
    assert [row[SLOTS] for row in sharing.rows] == [0, 0]
    # A repair that was not certain is followed by another one, as in the supervisor.
    assert repair([sharing.semaphore], sharing.rows)
    assert sharing.free() == TOTAL
    sharing.close()
