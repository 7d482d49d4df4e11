"""Scans of adopted processes: to which task they belong, and what their death means."""

import pytest
from fake_process_table import FakeProcess, ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.procfs import STRAY

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


# Hazard 11.
def test_adopted_zombies_are_reaped_by_pid(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = [table.start(mark=OTHER) for _ in range(3)]
    walk(tree, table)
    for pid in adopted:
        table.die(pid)
    walk(tree, table)
    assert sorted(table.reaped) == adopted
    assert not tree.has_children


# Hazard 6: of a chain of processes that each fork a successor and exit, scans may find zombies only.
def test_adopted_zombie_makes_a_scan_unclean_because_it_may_have_forked(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = table.start(mark=TARGET)
    table.die(adopted)
    survivors = walk(tree, table, TARGET)[TARGET]
    assert (survivors.found_alive, survivors.inconclusive, survivors.clean) == ([], True, False)
    assert walk(tree, table, TARGET) == {}


def test_scan_is_clean_despite_a_dead_leader(table: ProcessTable, tree: ProcessTree) -> None:
    table.die(enrolled(table, tree, TARGET))
    assert walk(tree, table, TARGET)[TARGET].clean


def test_newest_child_is_scanned_first(table: ProcessTable, tree: ProcessTree) -> None:
    adopted = [table.start(mark=TARGET) for _ in range(3)]
    assert walk(tree, table, TARGET)[TARGET].found_alive == adopted[::-1]


def test_disowned_leader_is_killed_by_its_mark_and_reaped(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    table.rows[leader].stuck = True
    tree.disown(leader)
    assert tree.adopted_marks == {TARGET}
    assert walk(tree, table, TARGET)[TARGET].found_alive == [leader]
    table.die(leader)
    walk(tree, table, TARGET)
    assert table.reaped == [leader]
    assert tree.adopted_marks == set()


def test_disowned_child_that_was_never_added_has_no_mark(table: ProcessTable, tree: ProcessTree) -> None:
    tree.disown(table.start())
    assert tree.adopted_marks == set()
    assert tree.has_children


def test_added_child_is_not_adopted_any_more(table: ProcessTable, tree: ProcessTree) -> None:
    pid = table.start(mark=OTHER)
    walk(tree, table)
    assert tree.adopted_marks == {OTHER}
    tree.add(pid, TARGET)
    assert tree.adopted_marks == set()
    walk(tree, table, TARGET)
    assert table.killed == [pid]


def test_adopted_children_are_those_alive_after_the_last_scan(table: ProcessTable, tree: ProcessTree) -> None:
    staying, exiting, unmarked = table.start(mark=OTHER), table.start(mark=TARGET), table.start()
    walk(tree, table)
    assert tree.adopted_marks == {OTHER, TARGET, STRAY}
    table.vanish(exiting)
    walk(tree, table)
    assert tree.adopted_marks == {OTHER, STRAY}
    table.vanish(staying)
    walk(tree, table)
    assert (tree.adopted_marks, tree.has_children) == ({STRAY}, True)
    table.vanish(unmarked)
    walk(tree, table)
    assert not tree.has_children


def test_mark_is_read_once(table: ProcessTable, tree: ProcessTree) -> None:
    table.start(mark=OTHER)
    for _ in range(5):
        walk(tree, table)
    assert table.asked["mark"] == 1


# Processes started by su(1) have no mark of the agent, and lose their parent when it is killed.
def test_expected_descendant_belongs_to_its_task_after_losing_its_mark(table: ProcessTable, tree: ProcessTree) -> None:
    leader = enrolled(table, tree, TARGET)
    child = table.start(leader, mark=OTHER)
    descendant, unrelated = table.start(child), table.start(mark=OTHER)
    tree.expect(leader, TARGET)
    table.vanish(leader)
    tree.remove(leader)
    table.vanish(child)
    for pid in (descendant, unrelated):
        table.rows[pid].mark = None
    assert walk(tree, table, TARGET)[TARGET].found_alive == [descendant]
    assert table.alive == [unrelated]
    tree.forget_mark(TARGET)


# Hazard 8.
def test_reused_pid_of_an_expected_descendant_does_not_belong_to_the_task(
    table: ProcessTable, tree: ProcessTree
) -> None:
    leader = enrolled(table, tree, TARGET)
    child = table.start(leader)
    tree.expect(leader, TARGET)
    table.vanish(child)
    table.rows[child] = FakeProcess(child, table.me, None, started=99)
    assert walk(tree, table, TARGET)[TARGET].found_alive == [leader]
    assert table.alive == [child]
