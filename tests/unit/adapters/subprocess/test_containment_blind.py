"""Hazard 15: scans that fail; processes that a scan has not looked at do not count as dead."""

import asyncio
import errno
from collections.abc import AsyncIterator, Coroutine

import pytest
from fake_process_table import ProcessTable
from proc import eventually, open_descriptors
from structlog.testing import capture_logs

from execwire.adapters.linux.spare_descriptors import COUNT
from execwire.adapters.linux.survivors import CLEAN_SCANS
from execwire.adapters.subprocess import adopted_reaper, containment
from execwire.adapters.subprocess.containment import Containment

MARK = 5
BOUND_SECONDS = 10.0


class BlindTable(ProcessTable):
    """A table of which `blind` scans fail."""

    blind = 0
    failure: Exception = OSError(errno.ENFILE, "Too many open files in system")

    def children(self, pid: int) -> list[int]:
        if self.blind:
            self.blind -= 1
            raise self.failure
        return super().children(pid)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> BlindTable:
    table = BlindTable()
    table.install(monkeypatch)
    return table


@pytest.fixture
async def contained(table: BlindTable) -> AsyncIterator[Containment]:
    contained = Containment()
    yield contained
    await contained.close()
    assert table.pidfds == {}


async def killed(contained: Containment) -> bool:
    async with asyncio.timeout(BOUND_SECONDS):
        return await contained.kill(MARK)


@pytest.mark.parametrize(
    "failure", [OSError(errno.EMFILE, "Too many open files"), MemoryError(), ValueError("unexpected")]
)
async def test_failing_scans_are_repeated_until_the_task_has_been_seen_dead(
    table: BlindTable, contained: Containment, failure: Exception
) -> None:
    table.failure = failure
    table.start(mark=MARK)
    table.blind = 3
    assert await killed(contained)
    assert table.alive == []


async def test_failed_scan_restarts_the_count_of_clean_scans(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", BOUND_SECONDS)

    def fail_next() -> None:
        table.blind = 1

    table.before["children", table.me] = fail_next
    assert await killed(contained)
    assert table.walks == 1 + CLEAN_SCANS


async def test_failing_scans_are_logged_with_the_reason_and_continue_after_the_result(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", 0.01)
    monkeypatch.setattr(containment, "STUBBORN_PAUSE_SECONDS", 0.001)
    table.start(mark=MARK)
    table.blind = 10**9
    with capture_logs() as logs:
        assert not await killed(contained)
    assert ["Too many open files in system" in log["reason"] for log in logs] == [True]
    table.blind = 0
    await eventually(lambda: table.alive == [])


async def test_failed_scan_for_adopted_processes_is_logged_and_repeated(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopted_reaper, "REAP_SECONDS", 0.002)
    daemon = table.start(mark=MARK)
    contained.track(daemon, MARK)
    contained.untrack(daemon)
    contained.track(table.start(mark=MARK), MARK)
    table.die(daemon)
    table.blind = 1
    with capture_logs() as logs:
        await eventually(lambda: table.reaped == [daemon])
    assert [log["event"] for log in logs] == ["cannot look for processes that ended tasks have left"]
    assert "Too many open files in system" in logs[0]["reason"]


async def test_reserved_descriptors_are_available_during_a_scan(table: BlindTable, contained: Containment) -> None:
    before = open_descriptors()
    inside: list[set[int]] = []
    table.before["children", table.me] = lambda: inside.append(open_descriptors())
    assert await killed(contained)
    assert [len(before - descriptors) for descriptors in inside] == [COUNT]
    assert len(before - open_descriptors()) == 0


@pytest.mark.parametrize("step", ["_update", "_pause"])
async def test_kill_that_fails_at_any_step_is_restarted_and_returns(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    table.start(mark=MARK)
    original: object = getattr(contained, step)

    def fail(*_: object) -> None:
        monkeypatch.setattr(contained, step, original)
        raise ValueError(step)

    monkeypatch.setattr(contained, step, fail)
    assert await killed(contained)
    assert table.alive == []


async def test_kill_whose_scans_always_fail_returns_in_time_and_so_does_the_next(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "RESULT_AFTER_SECONDS", 0.02)
    table.failure = ValueError("unexpected")
    table.blind = 1_000_000
    assert not await killed(contained)
    assert not await contained.kill(MARK + 1)
    table.blind = 0
    assert await contained.kill(MARK + 2)


async def test_scan_for_adopted_processes_is_repeated_after_any_exception(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopted_reaper, "REAP_SECONDS", 0.001)
    table.failure = ValueError("unexpected")
    table.blind = 3
    pid = table.start(mark=MARK)
    contained.track(table.start(mark=MARK + 1), MARK + 1)
    table.die(pid)
    await eventually(lambda: pid not in table.rows)


async def test_kill_that_could_not_be_started_is_started_by_the_next_call(
    table: BlindTable, contained: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.start(mark=MARK)

    def refuse(work: Coroutine[None, None, None]) -> None:
        work.close()
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(containment, "start_background", refuse)
        with pytest.raises(MemoryError):
            await contained.kill(MARK)
    assert await killed(contained)
    assert table.alive == []
