"""Walks over a family, whatever it did to get away."""

import pytest
from process_table import ProcessTable

from execwire.adapters.subprocess.descent import Descent, Sighting

ENDING, OTHER = 7, 8


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    table = ProcessTable()
    table.install(monkeypatch)
    return table


@pytest.fixture
def descent(table: ProcessTable) -> Descent:
    assert table.getpid() == table.me
    return Descent()


def leader(table: ProcessTable, descent: Descent, mark: int = ENDING) -> int:
    pid = table.start(mark=mark)
    descent.enrol(pid, mark)
    return pid


def walk(descent: Descent, table: ProcessTable, *marks: int) -> dict[int, Sighting]:
    sightings: dict[int, Sighting] = {}
    for _ in descent.walk(frozenset(marks), sightings):
        pass
    assert table.pidfds == {}
    return sightings


def test_a_family_is_killed_parents_before_children_and_nobody_else(table: ProcessTable, descent: Descent) -> None:
    top = leader(table, descent)
    child = table.start(top)
    grandchild = table.start(child)
    other = leader(table, descent, OTHER)
    table.start(other)
    sightings = walk(descent, table, ENDING)
    assert sightings[ENDING].alive == [top, child, grandchild]
    assert table.killed == [top, child, grandchild]
    assert table.alive == [other, other + 1]


def test_one_walk_serves_all_that_are_ending(table: ProcessTable, descent: Descent) -> None:
    first, second = leader(table, descent), leader(table, descent, OTHER)
    sightings = walk(descent, table, ENDING, OTHER)
    assert {mark: sighting.alive for mark, sighting in sightings.items()} == {ENDING: [first], OTHER: [second]}


# Hazard 5.
def test_daemons_that_left_their_family_are_told_by_their_mark(table: ProcessTable, descent: Descent) -> None:
    top = leader(table, descent)
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
    top = leader(table, descent)
    table.start(top, mark=OTHER)
    walk(descent, table, ENDING)
    assert table.alive == []


# Hazard 11.
def test_adopted_zombies_are_reaped_by_pid(table: ProcessTable, descent: Descent) -> None:
    adopted = [table.start(mark=OTHER) for _ in range(3)]
    walk(descent, table)
    for pid in adopted:
        table.die(pid)
    walk(descent, table)
    assert table.reaped == adopted
    assert not descent.has_adopted


# Hazard 8.
def test_a_leader_is_left_to_whoever_waits_for_it(table: ProcessTable, descent: Descent) -> None:
    top = leader(table, descent)
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
    top = leader(table, descent)
    table.rows[top].others = True
    child = table.start(top)
    sighting = walk(descent, table, ENDING)[ENDING]
    assert sighting.alive == [top, child]
    assert sighting.reason == "may not be signalled: it runs as another user"
    assert table.alive == [top]


def test_what_does_not_die_is_seen_alive_again_and_again(table: ProcessTable, descent: Descent) -> None:
    top = leader(table, descent)
    table.rows[top].stuck = True
    for _ in range(2):
        sighting = walk(descent, table, ENDING)[ENDING]
        assert sighting.alive == [top]
        assert "SIGKILL" in sighting.reason


def test_an_abandoned_leader_is_killed_by_its_mark_and_reaped(table: ProcessTable, descent: Descent) -> None:
    top = leader(table, descent)
    table.rows[top].stuck = True
    descent.abandon(top)
    assert descent.adopted_marks == {ENDING}
    assert walk(descent, table, ENDING)[ENDING].alive == [top]
    table.die(top)
    walk(descent, table, ENDING)
    assert table.reaped == [top]
    assert descent.adopted_marks == set()


def test_abandoning_who_was_never_enrolled_leaves_him_without_a_mark(table: ProcessTable, descent: Descent) -> None:
    descent.abandon(table.start())
    assert descent.adopted_marks == set()
    assert descent.has_adopted


def test_who_is_enrolled_is_adopted_no_longer(table: ProcessTable, descent: Descent) -> None:
    pid = table.start(mark=OTHER)
    walk(descent, table)
    assert descent.adopted_marks == {OTHER}
    descent.enrol(pid, ENDING)
    assert not descent.has_adopted
    walk(descent, table, ENDING)
    assert table.killed == [pid]


def test_adopted_ones_are_known_by_what_the_last_walk_left(table: ProcessTable, descent: Descent) -> None:
    staying, going, unmarked = table.start(mark=OTHER), table.start(mark=ENDING), table.start()
    walk(descent, table)
    assert descent.adopted_marks == {OTHER, ENDING}
    table.vanish(going)
    walk(descent, table)
    assert descent.adopted_marks == {OTHER}
    table.vanish(staying)
    walk(descent, table)
    assert (descent.adopted_marks, descent.has_adopted) == (set(), True)
    table.vanish(unmarked)
    walk(descent, table)
    assert not descent.has_adopted


def test_a_mark_is_read_once(table: ProcessTable, descent: Descent) -> None:
    table.start(mark=OTHER)
    for _ in range(5):
        walk(descent, table)
    assert table.asked["mark"] == 1


# Hazard 9.
def test_what_a_dead_worker_left_is_killed_whatever_its_mark_and_the_living_workers_are_not(
    table: ProcessTable, descent: Descent
) -> None:
    worker, dead = leader(table, descent), leader(table, descent)
    its_task, orphan = table.start(worker, mark=OTHER), table.start(dead, mark=OTHER)
    below = table.start(orphan)
    table.vanish(dead)
    descent.release(dead)
    sighting = Sighting()
    for _ in descent.walk_adopted(sighting):
        pass
    assert sighting.alive == [orphan, below]
    assert table.alive == [worker, its_task]
    for _ in descent.walk_adopted(Sighting()):
        pass
    assert table.reaped == [orphan, below]
