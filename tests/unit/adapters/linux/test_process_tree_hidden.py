"""Walks over processes that /proc does not show (hidepid): what cannot be looked at is not gone."""

import pytest
from fake_process_table import FakeProcess, ProcessTable
from tree_walks import enrolled, walk

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import UNKNOWN

ENDING, OTHER = 7, 8


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


def test_a_hidden_daemon_is_told_by_its_mark_killed_and_reaped(table: ProcessTable, tree: ProcessTree) -> None:
    daemon, neighbour = hidden(table, mark=ENDING), hidden(table, mark=OTHER)
    assert walk(tree, table, ENDING)[ENDING].alive == [daemon]
    assert walk(tree, table, ENDING)[ENDING].reaped_any
    assert (table.killed, table.reaped, table.alive) == ([daemon], [daemon], [neighbour])


def test_a_hidden_process_below_a_leader_is_killed(table: ProcessTable, tree: ProcessTree) -> None:
    child = hidden(table, enrolled(table, tree, ENDING))
    assert child in walk(tree, table, ENDING)[ENDING].alive
    assert table.alive == []


def test_what_stands_below_a_hidden_process_is_met_when_that_is_dead(table: ProcessTable, tree: ProcessTree) -> None:
    top = hidden(table, mark=ENDING)
    table.start(top)
    assert walk(tree, table, ENDING)[ENDING].alive == [top]
    assert len(table.alive) == 1
    walk(tree, table, ENDING)
    assert table.alive == []


# Hazard 8.
def test_a_number_that_went_to_a_hidden_stranger_is_not_signalled(table: ProcessTable, tree: ProcessTree) -> None:
    child = table.start(enrolled(table, tree, ENDING))

    def reused() -> None:
        table.vanish(child)
        table.rows[child] = FakeProcess(child, 1, None, hidden=True)

    table.before["pidfd", child] = reused
    walk(tree, table, ENDING)
    assert table.alive == [child]


def test_whose_mark_cannot_be_known_keeps_every_task_that_lived_then_from_being_called_gone(
    table: ProcessTable, tree: ProcessTree
) -> None:
    enrolled(table, tree, ENDING)
    unknown = hidden(table, others=True)
    for _ in range(3):
        survivors = walk(tree, table, ENDING)[ENDING]
        assert unknown in survivors.alive
        assert (survivors.clean, survivors.reason) == (False, UNKNOWN)
    assert unknown not in table.killed
    # It cannot be of a task that was started later.
    later = enrolled(table, tree, OTHER)
    assert walk(tree, table, OTHER)[OTHER].alive == [later]


def test_whose_mark_cannot_be_known_is_reaped_when_it_dies(table: ProcessTable, tree: ProcessTree) -> None:
    unknown = hidden(table, others=True)
    walk(tree, table)
    table.die(unknown)
    walk(tree, table)
    assert table.reaped == [unknown]
    assert not tree.has_children


def test_who_has_changed_its_mark_is_told_by_the_session_of_its_leader(table: ProcessTable, tree: ProcessTree) -> None:
    top = enrolled(table, tree, ENDING)
    strays = [hidden(table, others=True), table.start()]
    for stray in strays:
        table.rows[stray].session = top
    assert set(strays) < set(walk(tree, table, ENDING)[ENDING].alive)


def test_a_zombie_that_a_tracer_holds_keeps_nobody_waiting_and_is_reaped_in_the_end(
    table: ProcessTable, tree: ProcessTree
) -> None:
    traced = table.start(mark=ENDING)
    table.rows[traced].traced = True
    table.die(traced)
    assert walk(tree, table, ENDING)[ENDING].clean
    table.rows[traced].traced = False
    walk(tree, table)
    assert table.reaped == [traced]
