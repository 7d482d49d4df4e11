"""Adopted processes of no task that is being killed: reaped when they end, or killed at the agent's stop."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from event_loop import past
from fake_process_table import ProcessTable
from proc import eventually

from execwire.adapters.subprocess import adopted_reaper
from execwire.adapters.subprocess.containment import Containment


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    table = ProcessTable()
    table.install(monkeypatch)
    monkeypatch.setattr(adopted_reaper, "REAP_SECONDS", 0.002)
    return table


@pytest.fixture
async def contained(table: ProcessTable) -> AsyncIterator[Containment]:
    contained = Containment()
    yield contained
    await contained.close()
    assert table.pidfds == {}


# Hazard 11.
async def test_orphan_of_a_task_is_reaped_soon_after_it_ends(table: ProcessTable, contained: Containment) -> None:
    daemon = table.start(mark=5)
    contained.untrack(1001)
    await eventually(lambda: table.asked["mark"] == 1)
    table.die(daemon)
    await eventually(lambda: table.reaped == [daemon])
    assert table.killed == []


async def test_scans_stop_once_there_are_no_adopted_processes(table: ProcessTable, contained: Containment) -> None:
    contained.untrack(1001)
    contained.untrack(1002)
    await eventually(lambda: table.walks == 1)
    await past(0.01)
    assert table.walks == 1
    contained.untrack(1003)
    await eventually(lambda: table.walks == 2)


async def test_reaped_leader_is_forgotten(table: ProcessTable, contained: Containment) -> None:
    pid = table.start(mark=5)
    contained.track(pid, 5)
    table.die(pid)
    contained.untrack(pid)
    # From now on, the pid is treated as that of an adopted process.
    await eventually(lambda: table.reaped == [pid])


async def test_all_adopted_processes_are_killed_at_the_stop_whatever_their_marks(
    table: ProcessTable, contained: Containment
) -> None:
    daemons = [table.start(mark=mark) for mark in (5, 6)]
    child = table.start(daemons[0])
    unmarked = table.start()
    await contained.kill_orphans()
    assert sorted(table.killed) == [*daemons, child, unmarked]
    assert table.alive == []


async def test_stop_without_adopted_processes_takes_one_scan(table: ProcessTable, contained: Containment) -> None:
    await contained.kill_orphans()
    assert table.walks == 1


async def test_close_ends_the_scans_for_a_process_that_does_not_die(table: ProcessTable) -> None:
    contained = Containment()
    pid = table.start(mark=5)
    table.rows[pid].stuck = True
    killing = asyncio.create_task(contained.kill(5))
    await eventually(lambda: len(table.killed) > 2)
    await contained.close()
    walks = table.walks
    await past(0.01)
    assert table.walks == walks
    killing.cancel()
