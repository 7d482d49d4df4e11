"""Races between the steps of a scan; each event happens exactly at the named step."""

from collections.abc import Callable

import pytest
from fake_process_table import FakeProcess, ProcessTable

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import Survivors

MARK = 7
INIT = 1
"""The parent of processes that do not descend from this one."""


class Scanner:
    """A ProcessTree over a table, with the leader of a task and a child of it."""

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self.tree = ProcessTree()
        self.leader = table.start(mark=MARK)
        self.tree.add(self.leader, MARK)
        self.child = table.start(self.leader)

    def scan(self) -> list[int]:
        """Scan once; return the pids that were alive."""
        survivors_by_mark: dict[int, Survivors] = {}
        for _ in self.tree.scan(frozenset({MARK}), survivors_by_mark):
            pass
        assert self.table.pidfds == {}
        return survivors_by_mark[MARK].found_alive if MARK in survivors_by_mark else []


@pytest.fixture
def scanner(monkeypatch: pytest.MonkeyPatch) -> Scanner:
    table = ProcessTable()
    table.install(monkeypatch)
    return Scanner(table)


def reused(table: ProcessTable, pid: int) -> None:
    """The process ends and is reaped, and an unrelated process gets its pid."""
    table.vanish(pid)
    table.rows[pid] = FakeProcess(pid, INIT, None)


# Hazard 6.
@pytest.mark.parametrize("moment", ["pidfd", "state", "kill"])
def test_process_forked_before_its_parent_is_killed_is_found_by_the_next_scan(scanner: Scanner, moment: str) -> None:
    table = scanner.table
    table.before[moment, scanner.child] = lambda: table.start(scanner.child)
    assert scanner.scan() == [scanner.leader, scanner.child]
    assert len(table.alive) == 1
    assert scanner.scan() == [scanner.child + 1]
    assert table.alive == []


# Hazard 8.
@pytest.mark.parametrize("moment", ["children", "pidfd", "state", "kill"])
def test_reused_pid_is_not_signalled(scanner: Scanner, moment: str) -> None:
    table = scanner.table
    table.before[moment, scanner.child] = lambda: reused(table, scanner.child)
    scanner.scan()
    assert table.killed == [scanner.leader]
    assert table.alive == [scanner.child]


@pytest.mark.parametrize("moment", ["children", "pidfd", "state", "kill"])
def test_process_that_ends_during_the_scan_is_no_error(scanner: Scanner, moment: str) -> None:
    table = scanner.table
    table.before[moment, scanner.child] = lambda: table.vanish(scanner.child)
    scanner.scan()
    assert table.killed == [scanner.leader]
    assert scanner.scan() == []


@pytest.mark.parametrize("moment", ["children", "pidfd", "state"])
def test_zombie_is_no_survivor(scanner: Scanner, moment: str) -> None:
    table = scanner.table
    table.before[moment, scanner.child] = lambda: table.die(scanner.child)
    assert scanner.scan() == [scanner.leader]
    assert table.killed == [scanner.leader]


# Hazard 6: one clean scan is no proof.
def test_process_that_moves_to_a_scanned_part_is_found_by_the_next_scan(scanner: Scanner) -> None:
    table = scanner.table
    table.die(scanner.child)
    moving = table.start(scanner.leader)
    table.die(scanner.leader)
    table.rows[moving].parent = scanner.child
    table.rows[scanner.child].alive = True
    # The leader is dead; the child is alive and the parent of `moving`, and vanishes when the scan reaches it.
    table.before["children", scanner.child] = lambda: table.vanish(scanner.child)
    assert scanner.scan() == []
    assert table.alive == [moving]
    assert scanner.scan() == [moving]


def test_child_that_loses_its_parent_during_the_scan_is_killed(scanner: Scanner) -> None:
    table = scanner.table
    grandchild = table.start(scanner.child)
    table.before["pidfd", scanner.child] = lambda: table.vanish(scanner.child)
    assert scanner.scan() == [scanner.leader, grandchild]
    assert table.alive == []


def test_scan_yields_after_each_process(scanner: Scanner) -> None:
    table = scanner.table
    for _ in range(10):
        table.start(scanner.leader)
    pauses = sum(1 for _ in scanner.tree.scan(frozenset({MARK}), {}))
    assert pauses >= 12


# Hazard 8.
@pytest.mark.parametrize("become_of", [ProcessTable.vanish, reused])
def test_leader_reaped_during_the_scan_is_not_confused_with_a_reused_pid(
    scanner: Scanner, become_of: Callable[[ProcessTable, int], None]
) -> None:
    table = scanner.table
    newer = table.start(mark=MARK)
    scanner.tree.add(newer, MARK)
    for _ in scanner.tree.scan(frozenset({MARK}), {}):
        if scanner.leader in table.rows:
            become_of(table, scanner.leader)
            scanner.tree.remove(scanner.leader)
    # The newest is scanned first; the next scan finds the child.
    assert table.killed == [newer]
    assert table.reaped == []
    assert scanner.scan() == [scanner.child]
