import os
from collections.abc import Iterator

import pytest

from execwire.app.agent.shared_connection_slots import LEAD_DIVISOR, SharedConnectionSlots
from execwire.app.scoreboard import ACCEPTING, BEAT, CONNECTION_SLOTS, Scoreboard
from execwire.app.shared_slots import ALIVE_MILLISECONDS, open_semaphore

TOTAL = 1000


@pytest.fixture
def rows() -> list[memoryview]:
    rows = Scoreboard(3).rows
    for row in rows:
        row[ACCEPTING], row[BEAT] = 1, 5000
    return rows


@pytest.fixture
def slots(rows: list[memoryview]) -> Iterator[SharedConnectionSlots]:
    semaphore = open_semaphore(TOTAL, CONNECTION_SLOTS)
    yield SharedConnectionSlots(semaphore, rows[0], rows[1:])
    os.close(semaphore.descriptor)


def take(slots: SharedConnectionSlots, count: int) -> None:
    assert [slots.take() for _ in range(count)] == [True] * count


def test_worker_with_more_connections_lets_others_accept(slots: SharedConnectionSlots, rows: list[memoryview]) -> None:
    assert not slots.others_first(0)
    take(slots, 1)
    assert slots.others_first(0)
    rows[1][CONNECTION_SLOTS] = rows[2][CONNECTION_SLOTS] = 1
    assert not slots.others_first(0)


def test_connections_that_have_no_slot_yet_count(slots: SharedConnectionSlots) -> None:
    assert not slots.others_first(0)
    assert slots.others_first(1)


def test_with_many_connections_a_small_lead_is_no_matter(slots: SharedConnectionSlots, rows: list[memoryview]) -> None:
    take(slots, 10 * LEAD_DIVISOR)
    rows[1][CONNECTION_SLOTS] = rows[2][CONNECTION_SLOTS] = 10 * LEAD_DIVISOR - 10
    assert not slots.others_first(0)
    rows[2][CONNECTION_SLOTS] -= 1
    assert slots.others_first(0)


@pytest.mark.parametrize("state", ["starting", "hangs"])
def test_worker_that_does_not_accept_is_not_waited_for(
    slots: SharedConnectionSlots, rows: list[memoryview], state: str
) -> None:
    take(slots, 5)
    for other in rows[1:]:
        if state == "starting":
            other[ACCEPTING] = 0
        else:
            other[BEAT] = 5000 - ALIVE_MILLISECONDS
    assert not slots.others_first(0)


def test_places_are_a_total(slots: SharedConnectionSlots) -> None:
    take(slots, TOTAL)
    assert not slots.take()
    slots.give()
    assert slots.take()
