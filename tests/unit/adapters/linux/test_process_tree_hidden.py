"""Scans of processes that /proc hides (hidepid): a hidden process does not count as dead."""

import pytest
from fake_process_table import FakeProcess, ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import UNKNOWN

TARGET, OTHER = 7, 8


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    table = ProcessTable()
    table.install(monkeypatch)
    return table


@pytest.fixture
def tree(table: ProcessTable) -> ProcessTree:
    assert table.getpid() == table.me
    return ProcessTree()


def hidden(table: ProcessTable, parent: int | None = None, mark: int | None = None, *, others: bool = False) -> int:
    pid = table.start(parent, mark)
    table.rows[pid].hidden, table.rows[pid].others = True, others
    return pid


def test_hidden_daemon_is_identified_by_its_mark_killed_and_reaped(table: ProcessTable, tree: ProcessTree) -> None:
    daemon, other_task = hidden(table, mark=TARGET), hidden(table, mark=OTHER)
    assert walk(tree, table, TARGET)[TARGET].found_alive == [daemon]
    assert walk(tree, table, TARGET)[TARGET].inconclusive
    assert (table.killed, table.reaped, table.alive) == ([daemon], [daemon], [other_task])


def test_hidden_descendant_of_a_leader_is_killed(table: ProcessTable, tree: ProcessTree) -> None:
    child = hidden(table, enrolled(table, tree, TARGET))
    assert child in walk(tree, table, TARGET)[TARGET].found_alive
    assert table.alive == []


def test_descendants_of_a_hidden_process_are_found_after_its_death(table: ProcessTable, tree: ProcessTree) -> None:
    top = hidden(table, mark=TARGET)
    table.start(top)
    assert walk(tree, table, TARGET)[TARGET].found_alive == [top]
    assert len(table.alive) == 1
    walk(tree, table, TARGET)
    assert table.alive == []


# Hazard 8.
def test_pid_reused_by_a_hidden_process_is_not_signalled(table: ProcessTable, tree: ProcessTree) -> None:
    child = table.start(enrolled(table, tree, TARGET))

    def reused() -> None:
        table.vanish(child)
        table.rows[child] = FakeProcess(child, 1, None, hidden=True)

    table.before["pidfd", child] = reused
    walk(tree, table, TARGET)
    assert table.alive == [child]


def test_process_of_unknown_mark_is_a_survivor_of_every_task_that_existed_then(
    table: ProcessTable, tree: ProcessTree
) -> None:
    enrolled(table, tree, TARGET)
    unknown = hidden(table, others=True)
    for _ in range(3):
        survivors = walk(tree, table, TARGET)[TARGET]
        assert unknown in survivors.found_alive
        assert (survivors.clean, survivors.reason) == (False, UNKNOWN)
    assert unknown not in table.killed
    # It cannot belong to a task that was started later.
    later = enrolled(table, tree, OTHER)
    assert walk(tree, table, OTHER)[OTHER].found_alive == [later]


def test_process_of_unknown_mark_is_reaped_when_it_dies(table: ProcessTable, tree: ProcessTree) -> None:
    unknown = hidden(table, others=True)
    walk(tree, table)
    table.die(unknown)
    walk(tree, table)
    assert table.reaped == [unknown]
    assert not tree.has_children


def test_process_with_a_changed_mark_is_identified_by_its_session(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, TARGET)
    strays = [hidden(table, others=True), table.start()]
    for stray in strays:
        table.rows[stray].session = top
    assert set(strays) < set(walk(tree, table, TARGET)[TARGET].found_alive)


def test_traced_zombie_does_not_delay_a_clean_scan_and_is_reaped_later(table: ProcessTable, tree: ProcessTree) -> None:
    traced = table.start(mark=TARGET)
    table.rows[traced].traced = True
    table.die(traced)
    assert walk(tree, table, TARGET)[TARGET].clean
    table.rows[traced].traced = False
    walk(tree, table)
    assert table.reaped == [traced]
