"""Scans until a task has been seen dead, with a fake process table."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fake_process_table import ProcessTable
from proc import eventually
from structlog.testing import capture_logs

from execwire.adapters.linux.survivors import CLEAN_SCANS
from execwire.adapters.subprocess import containment, slices
from execwire.adapters.subprocess.containment import Containment

BOUND_SECONDS = 10.0


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    table = ProcessTable()
    table.install(monkeypatch)
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", BOUND_SECONDS)
    monkeypatch.setattr(containment, "LAST_PAUSE_SECONDS", 0.001)
    return table


@pytest.fixture
def _short_result_time(table: ProcessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert table.walks == 0
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", 0.02)


@pytest.fixture
async def contained(table: ProcessTable) -> AsyncIterator[Containment]:
    contained = Containment()
    yield contained
    await contained.close()
    assert table.pidfds == {}


def start(table: ProcessTable, contained: Containment) -> tuple[int, int]:
    """Return the mark and the pid of a new task."""
    mark = contained.new_mark()
    pid = table.start(mark=mark)
    contained.track(pid, mark)
    return mark, pid


async def killed(contained: Containment, mark: int) -> bool:
    async with asyncio.timeout(BOUND_SECONDS):
        return await contained.kill(mark)


async def test_no_two_tasks_have_the_same_mark(contained: Containment) -> None:
    marks = [contained.new_mark() for _ in range(100)]
    assert len(set(marks)) == 100
    assert min(marks) > 0


async def test_task_counts_as_ended_after_enough_scans_that_find_it_dead(
    table: ProcessTable, contained: Containment
) -> None:
    mark, pid = start(table, contained)
    table.start(pid)
    assert await killed(contained, mark)
    assert table.alive == []
    # One scan that kills, one that reaps adopted processes.
    assert table.walks == 2 + CLEAN_SCANS


async def test_task_without_processes_takes_only_the_confirming_scans(
    table: ProcessTable, contained: Containment
) -> None:
    assert await killed(contained, contained.new_mark())
    assert table.walks == CLEAN_SCANS


# Hazard 6.
@pytest.mark.parametrize("generations", [1, 5, 20])
async def test_chain_that_forks_while_it_is_killed_is_killed_completely(
    table: ProcessTable, contained: Containment, generations: int
) -> None:
    mark, pid = start(table, contained)

    def fork(parent: int, remaining: int) -> None:
        child = table.start(parent)
        if remaining:
            table.before["kill", child] = lambda: fork(child, remaining - 1)

    table.before["kill", pid] = lambda: fork(pid, generations)
    assert await killed(contained, mark)
    assert table.alive == []
    assert len(table.killed) == generations + 2


# Hazard 6.
async def test_process_that_appears_after_a_clean_scan_restarts_the_count(
    table: ProcessTable, contained: Containment
) -> None:
    mark = contained.new_mark()
    scans = 0

    def appear() -> None:
        nonlocal scans
        scans += 1
        if scans == CLEAN_SCANS:
            table.start(mark=mark)
        if scans < 10:
            table.before["children", table.me] = appear

    table.before["children", table.me] = appear
    assert await killed(contained, mark)
    assert table.alive == []
    # One clean scan, one that finds it alive, one that finds it dead.
    assert table.walks == CLEAN_SCANS - 1 + 2 + CLEAN_SCANS


# Hazard 7.
@pytest.mark.usefixtures("_short_result_time")
async def test_process_that_may_not_be_signalled_is_logged_and_still_scanned_for(
    table: ProcessTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "STUBBORN_PAUSE_SECONDS", 0.001)
    mark, pid = start(table, contained)
    table.rows[pid].others = True
    with capture_logs() as logs:
        assert not await killed(contained, mark)
        before = table.walks
        await eventually(lambda: table.walks > before + 2)
    assert [(log["log_level"], log["pids"], log["reason"]) for log in logs] == [
        ("warning", [pid], "may not be signalled: it runs as another user")
    ]
    table.rows[pid].others = False
    await eventually(lambda: table.alive == [])


@pytest.mark.usefixtures("_short_result_time")
async def test_second_kill_of_a_task_that_does_not_die_returns_at_once(
    table: ProcessTable, contained: Containment
) -> None:
    mark, pid = start(table, contained)
    table.rows[pid].stuck = True
    assert not await killed(contained, mark)
    assert not await killed(contained, mark)


@pytest.mark.usefixtures("_short_result_time")
async def test_new_task_does_not_wait_for_the_pauses_of_a_task_that_does_not_die(
    table: ProcessTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "STUBBORN_PAUSE_SECONDS", 1000.0)
    stubborn, pid = start(table, contained)
    table.rows[pid].stuck = True
    assert not await killed(contained, stubborn)
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", BOUND_SECONDS)
    mark, other = start(table, contained)
    assert await killed(contained, mark)
    assert table.alive == [pid]
    assert other in table.killed


async def test_tasks_that_are_killed_together_share_their_scans(table: ProcessTable, contained: Containment) -> None:
    tasks = [start(table, contained) for _ in range(50)]
    assert await asyncio.gather(*(killed(contained, mark) for mark, _ in tasks)) == [True] * 50
    assert table.alive == []
    assert table.walks == 1 + CLEAN_SCANS


async def test_concurrent_kills_of_one_task_return_the_same_result(table: ProcessTable, contained: Containment) -> None:
    mark, _ = start(table, contained)
    first, second = await asyncio.gather(killed(contained, mark), killed(contained, mark))
    assert first
    assert second
    assert table.walks == 1 + CLEAN_SCANS


async def test_cancelled_wait_does_not_end_the_scans(table: ProcessTable, contained: Containment) -> None:
    mark, _ = start(table, contained)
    waiting = asyncio.create_task(contained.kill(mark))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await eventually(lambda: table.alive == [])


async def test_large_process_tree_is_scanned_in_slices_between_other_callbacks(
    table: ProcessTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    mark, pid = start(table, contained)
    for _ in range(30):
        table.start(pid)
    kills: list[int] = []
    killing = asyncio.create_task(contained.kill(mark))
    while not killing.done():
        kills.append(len(table.killed))
        await asyncio.sleep(0)
    assert len(set(kills)) >= 30
