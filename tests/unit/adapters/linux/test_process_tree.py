"""Walks over a family, whatever it did to get away."""

import pytest
from process_table import ProcessTable
from walks import enrolled, walk

from execwire.adapters.linux.process_tree import Descent

ENDING, OTHER = 7, 8


@pytest.fixture(params=[True, False], ids=["listed", "scanned"])
def table(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ProcessTable:
    table = ProcessTable(listed=request.param)
    table.install(monkeypatch)
    return table


@pytest.fixture
def descent(table: ProcessTable) -> Descent:
    assert table.getpid() == table.me
    return Descent()


def test_a_family_is_killed_parents_before_children_and_nobody_else(table: ProcessTable, descent: Descent) -> None:
    top = enrolled(table, descent, ENDING)
    child = table.start(top)
    grandchild = table.start(child)
    other = enrolled(table, descent, OTHER)
    table.start(other)
    sightings = walk(descent, table, ENDING)
    assert sightings[ENDING].alive == [top, child, grandchild]
    assert table.killed == [top, child, grandchild]
    assert table.alive == [other, other + 1]


def test_one_walk_serves_all_that_are_ending(table: ProcessTable, descent: Descent) -> None:
    first, second = enrolled(table, descent, ENDING), enrolled(table, descent, OTHER)
    sightings = walk(descent, table, ENDING, OTHER)
    assert {mark: sighting.alive for mark, sighting in sightings.items()} == {ENDING: [first], OTHER: [second]}


# Hazard 5.
def test_daemons_that_left_their_family_are_told_by_their_mark(table: ProcessTable, descent: Descent) -> None:
    top = enrolled(table, descent, ENDING)
    middle = table.start(top)
    daemon = table.start(middle)
    its_child = table.start(daemon)
    stranger = table.start(mark=None)
    neighbour = table.start(mark=OTHER)
    table.vanish(middle)
    table.die(top)
    walk(descent, table, ENDING)
    assert table.killed == [daemon, its_child]
    assert table.alive == [stranger, neighbour]


def test_what_stands_below_a_child_is_of_its_mark_whatever_it_says_itself(
    table: ProcessTable, descent: Descent
) -> None:
    top = enrolled(table, descent, ENDING)
    table.start(top, mark=OTHER)
    walk(descent, table, ENDING)
    assert table.alive == []


# Hazard 8.
def test_a_leader_is_left_to_whoever_waits_for_it(table: ProcessTable, descent: Descent) -> None:
    top = enrolled(table, descent, ENDING)
    table.die(top)
    sightings = walk(descent, table, ENDING)
    assert sightings[ENDING].alive == []
    assert (table.reaped, table.killed) == ([], [])
    descent.release(top)
    walk(descent, table, ENDING)
    assert table.reaped == [top]


def test_who_is_reaped_by_another_in_just_that_moment_is_no_trouble(table: ProcessTable, descent: Descent) -> None:
    adopted = table.start(mark=OTHER)
    table.die(adopted)
    table.before["wait", adopted] = lambda: table.vanish(adopted)
    walk(descent, table)
    assert table.reaped == []


# Hazard 7.
def test_what_may_not_be_signalled_is_seen_alive_with_the_reason(table: ProcessTable, descent: Descent) -> None:
    top = enrolled(table, descent, ENDING)
    table.rows[top].others = True
    child = table.start(top)
    sighting = walk(descent, table, ENDING)[ENDING]
    assert sighting.alive == [top, child]
    assert sighting.reason == "may not be signalled: it runs as another user"
    assert table.alive == [top]


def test_what_does_not_die_is_seen_alive_again_and_again(table: ProcessTable, descent: Descent) -> None:
    top = enrolled(table, descent, ENDING)
    table.rows[top].stuck = True
    for _ in range(2):
        sighting = walk(descent, table, ENDING)[ENDING]
        assert sighting.alive == [top]
        assert "SIGKILL" in sighting.reason
