"""Walks over a family, whatever it did to get away."""

import pytest
from fake_process_table import ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree

ENDING, OTHER = 7, 8


@pytest.fixture(params=[True, False], ids=["listed", "scanned"])
def table(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ProcessTable:
    table = ProcessTable(listed=request.param)
    table.install(monkeypatch)
    return table


@pytest.fixture
def tree(table: ProcessTable) -> ProcessTree:
    assert table.getpid() == table.me
    return ProcessTree()


def test_a_family_is_killed_parents_before_children_and_nobody_else(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    child = table.start(top)
    grandchild = table.start(child)
    other = enrolled(table, tree, OTHER)
    table.start(other)
    survivors_by_mark = walk(tree, table, ENDING)
    assert survivors_by_mark[ENDING].alive == [top, child, grandchild]
    assert table.killed == [top, child, grandchild]
    assert table.alive == [other, other + 1]


def test_one_walk_serves_all_that_are_ending(table: ProcessTable, tree: ProcessTree) -> None:
    first, second = enrolled(table, tree, ENDING), enrolled(table, tree, OTHER)
    survivors_by_mark = walk(tree, table, ENDING, OTHER)
    assert {mark: survivors.alive for mark, survivors in survivors_by_mark.items()} == {
        ENDING: [first],
        OTHER: [second],
    }


# Hazard 5.
def test_daemons_that_left_their_family_are_told_by_their_mark(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    middle = table.start(top)
    daemon = table.start(middle)
    its_child = table.start(daemon)
    stranger = table.start(mark=None)
    neighbour = table.start(mark=OTHER)
    table.vanish(middle)
    table.die(top)
    walk(tree, table, ENDING)
    assert table.killed == [daemon, its_child]
    assert table.alive == [stranger, neighbour]


def test_what_stands_below_a_child_is_of_its_mark_whatever_it_says_itself(
    table: ProcessTable, tree: ProcessTree
) -> None:
    top = enrolled(table, tree, ENDING)
    table.start(top, mark=OTHER)
    walk(tree, table, ENDING)
    assert table.alive == []


# Hazard 8.
def test_a_leader_is_left_to_whoever_waits_for_it(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    table.die(top)
    survivors_by_mark = walk(tree, table, ENDING)
    assert survivors_by_mark[ENDING].alive == []
    assert (table.reaped, table.killed) == ([], [])
    tree.remove(top)
    walk(tree, table, ENDING)
    assert table.reaped == [top]


def test_who_is_reaped_by_another_in_just_that_moment_is_no_trouble(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = table.start(mark=OTHER)
    table.die(adopted)
    table.before["wait", adopted] = lambda: table.vanish(adopted)
    walk(tree, table)
    assert table.reaped == []


# Hazard 7.
def test_what_may_not_be_signalled_is_seen_alive_with_the_reason(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    table.rows[top].others = True
    child = table.start(top)
    survivors = walk(tree, table, ENDING)[ENDING]
    assert survivors.alive == [top, child]
    assert survivors.reason == "may not be signalled: it runs as another user"
    assert table.alive == [top]


def test_what_does_not_die_is_seen_alive_again_and_again(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    table.rows[top].stuck = True
    for _ in range(2):
        survivors = walk(tree, table, ENDING)[ENDING]
        assert survivors.alive == [top]
        assert "SIGKILL" in survivors.reason
