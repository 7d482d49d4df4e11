"""What can happen between two looks at a process, each played in just that moment."""

from collections.abc import Callable

import pytest
from fake_process_table import FakeProcess, ProcessTable

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import Survivors

MARK = 7
OTHER_USER = 1
"""The parent of what does not descend from here."""


class Walker:
    """A ProcessTree over a table, with the leader of a task and a child of it."""

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self.tree = ProcessTree()
        self.leader = table.start(mark=MARK)
        self.tree.add(self.leader, MARK)
        self.child = table.start(self.leader)

    def walk(self) -> list[int]:
        """Return who was seen alive."""
        survivors_by_mark: dict[int, Survivors] = {}
        for _ in self.tree.scan(frozenset({MARK}), survivors_by_mark):
            pass
        assert self.table.pidfds == {}
        return survivors_by_mark[MARK].alive if MARK in survivors_by_mark else []


@pytest.fixture
def walker(monkeypatch: pytest.MonkeyPatch) -> Walker:
    table = ProcessTable()
    table.install(monkeypatch)
    return Walker(table)


def reused(table: ProcessTable, pid: int) -> None:
    """The process ends, is reaped, and its number goes to a stranger."""
    table.vanish(pid)
    table.rows[pid] = FakeProcess(pid, OTHER_USER, None)


# Hazard 6.
@pytest.mark.parametrize("moment", ["pidfd", "state", "kill"])
def test_what_is_forked_just_before_its_parent_is_killed_is_met_in_the_next_walk(walker: Walker, moment: str) -> None:
    table = walker.table
    table.before[moment, walker.child] = lambda: table.start(walker.child)
    assert walker.walk() == [walker.leader, walker.child]
    assert len(table.alive) == 1
    assert walker.walk() == [walker.child + 1]
    assert table.alive == []


# Hazard 8.
@pytest.mark.parametrize("moment", ["children", "pidfd", "state", "kill"])
def test_a_number_that_went_to_a_stranger_meanwhile_is_not_signalled(walker: Walker, moment: str) -> None:
    table = walker.table
    table.before[moment, walker.child] = lambda: reused(table, walker.child)
    walker.walk()
    assert table.killed == [walker.leader]
    assert table.alive == [walker.child]


@pytest.mark.parametrize("moment", ["children", "pidfd", "state", "kill"])
def test_who_ends_meanwhile_is_no_trouble(walker: Walker, moment: str) -> None:
    table = walker.table
    table.before[moment, walker.child] = lambda: table.vanish(walker.child)
    walker.walk()
    assert table.killed == [walker.leader]
    assert walker.walk() == []


@pytest.mark.parametrize("moment", ["children", "pidfd", "state"])
def test_a_zombie_is_not_seen_alive(walker: Walker, moment: str) -> None:
    table = walker.table
    table.before[moment, walker.child] = lambda: table.die(walker.child)
    assert walker.walk() == [walker.leader]
    assert table.killed == [walker.leader]


# Hazard 6: one clean walk proves nothing.
def test_who_moves_to_where_the_walk_has_been_is_met_in_the_next_one(walker: Walker) -> None:
    table = walker.table
    table.die(walker.child)
    hopper = table.start(walker.leader)
    table.die(walker.leader)
    table.rows[hopper].parent = walker.child
    table.rows[walker.child].alive = True
    # The leader is dead, the child alive with the hopper below it: as the walk looks at the child, it is gone.
    table.before["children", walker.child] = lambda: table.vanish(walker.child)
    assert walker.walk() == []
    assert table.alive == [hopper]
    assert walker.walk() == [hopper]


def test_a_child_that_lost_its_parent_since_it_was_listed_is_killed_all_the_same(walker: Walker) -> None:
    table = walker.table
    grandchild = table.start(walker.child)
    table.before["pidfd", walker.child] = lambda: table.vanish(walker.child)
    assert walker.walk() == [walker.leader, grandchild]
    assert table.alive == []


def test_the_walk_pauses_after_each_process(walker: Walker) -> None:
    table = walker.table
    for _ in range(10):
        table.start(walker.leader)
    pauses = sum(1 for _ in walker.tree.scan(frozenset({MARK}), {}))
    assert pauses >= 12


# Hazard 8.
@pytest.mark.parametrize("become_of", [ProcessTable.vanish, reused])
def test_a_leader_that_was_reaped_during_the_walk_is_taken_for_nobody_else(
    walker: Walker, become_of: Callable[[ProcessTable, int], None]
) -> None:
    table = walker.table
    newer = table.start(mark=MARK)
    walker.tree.add(newer, MARK)
    for _ in walker.tree.scan(frozenset({MARK}), {}):
        if walker.leader in table.rows:
            become_of(table, walker.leader)
            walker.tree.remove(walker.leader)
    # The newest is walked first; the child is met in the next walk.
    assert table.killed == [newer]
    assert table.reaped == []
    assert walker.walk() == [walker.child]
