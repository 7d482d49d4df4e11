"""Scans of a process tree, even if its processes changed session, group or parent."""

import pytest
from fake_process_table import ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree

TARGET, OTHER = 7, 8


@pytest.fixture(params=[True, False], ids=["listed", "scanned"])
def table(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ProcessTable:
    table = ProcessTable(listed=request.param)
    table.install(monkeypatch)
    return table


@pytest.fixture
def tree(table: ProcessTable) -> ProcessTree:
    assert table.getpid() == table.me
    return ProcessTree()


def test_tree_is_killed_parents_first_and_other_processes_are_not(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    child = table.start(leader)
    grandchild = table.start(child)
    other = enrolled(table, tree, OTHER)
    table.start(other)
    survivors_by_mark = walk(tree, table, TARGET)
    assert survivors_by_mark[TARGET].found_alive == [leader, child, grandchild]
    assert table.killed == [leader, child, grandchild]
    assert table.alive == [other, other + 1]


def test_one_scan_kills_several_tasks(table: ProcessTable, tree: ProcessTree) -> None:
    first, second = enrolled(table, tree, TARGET), enrolled(table, tree, OTHER)
    survivors_by_mark = walk(tree, table, TARGET, OTHER)
    assert {mark: survivors.found_alive for mark, survivors in survivors_by_mark.items()} == {
        TARGET: [first],
        OTHER: [second],
    }


# Hazard 5.
def test_daemons_that_left_their_tree_are_identified_by_their_mark(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    daemon_parent = table.start(leader)
    daemon = table.start(daemon_parent)
    daemon_child = table.start(daemon)
    unrelated = table.start(mark=None)
    other_task = table.start(mark=OTHER)
    table.vanish(daemon_parent)
    table.die(leader)
    walk(tree, table, TARGET)
    assert table.killed == [daemon, daemon_child]
    assert table.alive == [unrelated, other_task]


def test_descendants_belong_to_the_mark_of_the_child_whatever_their_own(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    table.start(leader, mark=OTHER)
    walk(tree, table, TARGET)
    assert table.alive == []


# Hazard 8.
def test_leader_is_not_reaped_until_it_is_removed(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    table.die(leader)
    survivors_by_mark = walk(tree, table, TARGET)
    assert survivors_by_mark[TARGET].found_alive == []
    assert (table.reaped, table.killed) == ([], [])
    tree.remove(leader)
    walk(tree, table, TARGET)
    assert table.reaped == [leader]


def test_child_reaped_elsewhere_during_the_scan_is_no_error(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = table.start(mark=OTHER)
    table.die(adopted)
    table.before["wait", adopted] = lambda: table.vanish(adopted)
    walk(tree, table)
    assert table.reaped == []


# Hazard 7.
def test_process_that_may_not_be_signalled_is_a_survivor_with_the_reason(
    table: ProcessTable, tree: ProcessTree
) -> None:
    leader = enrolled(table, tree, TARGET)
    table.rows[leader].others = True
    child = table.start(leader)
    survivors = walk(tree, table, TARGET)[TARGET]
    assert survivors.found_alive == [leader, child]
    assert survivors.reason == "may not be signalled: it runs as another user"
    assert table.alive == [leader]


def test_process_that_does_not_die_is_a_survivor_of_every_scan(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    table.rows[leader].stuck = True
    for _ in range(2):
        survivors = walk(tree, table, TARGET)[TARGET]
        assert survivors.found_alive == [leader]
        assert "SIGKILL" in survivors.reason
