"""Walks over what has lost its parent: whose it is taken for, and what its death means."""

import pytest
from fake_process_table import FakeProcess, ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.procfs import STRAY

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


# Hazard 11.
def test_adopted_zombies_are_reaped_by_pid(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = [table.start(mark=OTHER) for _ in range(3)]
    walk(tree, table)
    for pid in adopted:
        table.die(pid)
    walk(tree, table)
    assert sorted(table.reaped) == adopted
    assert not tree.has_children


# Hazard 6: of a chain of processes that hand over to each other, walks may meet none but zombies.
def test_an_adopted_zombie_counts_as_seen_for_it_may_have_forked(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = table.start(mark=ENDING)
    table.die(adopted)
    survivors = walk(tree, table, ENDING)[ENDING]
    assert (survivors.alive, survivors.reaped_any, survivors.clean) == ([], True, False)
    assert walk(tree, table, ENDING) == {}


def test_a_leader_that_has_died_does_not_keep_a_walk_from_being_clean(table: ProcessTable, tree: ProcessTree) -> None:
    table.die(enrolled(table, tree, ENDING))
    assert walk(tree, table, ENDING)[ENDING].clean


def test_the_newest_is_met_first(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = [table.start(mark=ENDING) for _ in range(3)]
    assert walk(tree, table, ENDING)[ENDING].alive == adopted[::-1]


def test_an_abandoned_leader_is_killed_by_its_mark_and_reaped(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    table.rows[top].stuck = True
    tree.disown(top)
    assert tree.adopted_marks == {ENDING}
    assert walk(tree, table, ENDING)[ENDING].alive == [top]
    table.die(top)
    walk(tree, table, ENDING)
    assert table.reaped == [top]
    assert tree.adopted_marks == set()


def test_abandoning_who_was_never_enrolled_leaves_him_without_a_mark(table: ProcessTable, tree: ProcessTree) -> None:
    tree.disown(table.start())
    assert tree.adopted_marks == set()
    assert tree.has_children


def test_who_is_enrolled_is_adopted_no_longer(table: ProcessTable, tree: ProcessTree) -> None:
    pid = table.start(mark=OTHER)
    walk(tree, table)
    assert tree.adopted_marks == {OTHER}
    tree.add(pid, ENDING)
    assert tree.adopted_marks == set()
    walk(tree, table, ENDING)
    assert table.killed == [pid]


def test_adopted_ones_are_known_by_what_the_last_walk_left(table: ProcessTable, tree: ProcessTree) -> None:
    staying, going, unmarked = table.start(mark=OTHER), table.start(mark=ENDING), table.start()
    walk(tree, table)
    assert tree.adopted_marks == {OTHER, ENDING, STRAY}
    table.vanish(going)
    walk(tree, table)
    assert tree.adopted_marks == {OTHER, STRAY}
    table.vanish(staying)
    walk(tree, table)
    assert (tree.adopted_marks, tree.has_children) == ({STRAY}, True)
    table.vanish(unmarked)
    walk(tree, table)
    assert not tree.has_children


def test_a_mark_is_read_once(table: ProcessTable, tree: ProcessTree) -> None:
    table.start(mark=OTHER)
    for _ in range(5):
        walk(tree, table)
    assert table.asked["mark"] == 1


# What su(1) starts bears no mark of ours, and loses its parent as that is killed.
def test_who_stood_below_a_leader_is_of_its_task_whatever_it_bears_later(
    table: ProcessTable, tree: ProcessTree
) -> None:
    top = enrolled(table, tree, ENDING)
    child = table.start(top, mark=OTHER)
    below, stranger = table.start(child), table.start(mark=OTHER)
    tree.expect(top, ENDING)
    table.vanish(top)
    tree.remove(top)
    table.vanish(child)
    for pid in (below, stranger):
        table.rows[pid].mark = None
    assert walk(tree, table, ENDING)[ENDING].alive == [below]
    assert table.alive == [stranger]
    tree.forget_mark(ENDING)


# Hazard 8.
def test_who_has_the_number_of_one_that_stood_below_a_leader_is_somebody_else(
    table: ProcessTable, tree: ProcessTree
) -> None:
    top = enrolled(table, tree, ENDING)
    child = table.start(top)
    tree.expect(top, ENDING)
    table.vanish(child)
    table.rows[child] = FakeProcess(child, table.me, None, started=99)
    assert walk(tree, table, ENDING)[ENDING].alive == [top]
    assert table.alive == [child]
