"""OrphanReaper with a fake process table: remaining processes are killed in slices, until scans find none."""

import errno

import pytest
from fake_process_table import ProcessTable
from orphan_harness import Sweeping
from structlog.testing import capture_logs

from execwire.adapters.linux.marks import RANGE
from execwire.adapters.linux.survivors import CLEAN_SCANS
from execwire.adapters.linux.timer_slack import TimerSlack
from execwire.app.supervision import orphans

MARK, OTHER_RANGE = 5, RANGE + 5


@pytest.fixture
def reaping(monkeypatch: pytest.MonkeyPatch) -> Sweeping:
    table = ProcessTable()
    table.install(monkeypatch)
    monkeypatch.setattr(orphans, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(orphans, "timer_slack", lambda: None)
    return Sweeping(table)


def test_nothing_is_scanned_before_a_worker_dies(reaping: Sweeping) -> None:
    assert not reaping.orphans.pending
    reaping.orphans.scan()
    assert reaping.table.walks == 0
    assert reaping.orphans.timeout(0.5) == 0.5


# Hazard 9.
def test_remaining_processes_are_killed_and_living_workers_are_not(reaping: Sweeping) -> None:
    table = reaping.table
    worker = table.start(mark=MARK)
    reaping.orphans.add_worker(worker)
    its_task = table.start(worker, mark=MARK)
    remaining = [table.start(mark=MARK), table.start(mark=MARK)]
    remaining.append(table.start(remaining[0]))
    logs = reaping.to_the_end()
    assert table.alive == [worker, its_task]
    assert sorted(table.killed) == sorted(table.reaped) == remaining
    assert [(log["event"], log["processes"]) for log in logs] == [
        ("killed the remaining processes of a dead worker", 3)
    ]


def test_process_that_no_worker_has_started_is_reaped_and_not_killed(reaping: Sweeping) -> None:
    table = reaping.table
    foreign = [table.start(), table.start(mark=OTHER_RANGE)]
    below = table.start(foreign[0])
    assert reaping.to_the_end() == []
    assert (table.alive, table.killed) == ([*foreign, below], [])
    table.die(foreign[0])
    reaping.orphans.reap()
    reaping.orphans.scan()
    assert (table.reaped, table.killed) == ([foreign[0]], [])
    assert reaping.orphans.timeout(0.5) == 0.5


def test_daemons_of_a_worker_that_stopped_in_order_are_kept(reaping: Sweeping) -> None:
    table = reaping.table
    worker = table.start()
    reaping.orphans.add_worker(worker)
    daemon = table.start(worker, mark=MARK)
    table.vanish(worker)
    reaping.orphans.remove_worker(worker)
    reaping.orphans.reap()
    reaping.orphans.scan()
    assert table.alive == [daemon]


def test_process_scanned_before_its_worker_died_is_killed(reaping: Sweeping) -> None:
    orphan = reaping.table.start(mark=MARK)
    reaping.orphans.reap()
    reaping.orphans.scan()
    assert reaping.table.alive == [orphan]
    reaping.to_the_end()
    assert reaping.table.alive == []


def test_process_with_the_second_mark_only_is_killed(reaping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan, foreign = reaping.table.start(), reaping.table.start()

    class Slack(TimerSlack):
        def second_mark(self, pid: int) -> int:
            return {orphan: 17}.get(pid, 0)

    monkeypatch.setattr(orphans, "timer_slack", lambda: Slack(50_000))
    second = Sweeping(reaping.table)
    second.to_the_end()
    assert second.table.alive == [foreign]


def test_without_remaining_processes_there_are_clean_scans_and_no_log(reaping: Sweeping) -> None:
    assert reaping.to_the_end() == []
    assert reaping.table.walks == CLEAN_SCANS
    assert reaping.orphans.timeout(0.5) == 0.5


# Hazard 6.
def test_child_forked_during_the_kill_is_found(reaping: Sweeping) -> None:
    table = reaping.table
    first = table.start(mark=MARK)
    table.before["kill", first] = lambda: table.start(first)
    reaping.to_the_end()
    assert table.alive == []


def test_many_processes_are_scanned_in_slices(reaping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "SLICE_SECONDS", 0.0)
    for _ in range(20):
        reaping.table.start(mark=MARK)
    reaping.begin()
    counts: list[int] = []
    while reaping.orphans.pending:
        assert reaping.orphans.timeout(0.5) == 0.0
        reaping.orphans.scan()
        counts.append(len(reaping.table.killed))
    assert len(set(counts)) == 20


# Hazard 7.
def test_process_that_does_not_die_is_logged_once_and_scanned_less_often(
    reaping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.01)
    stubborn = reaping.table.start(mark=MARK)
    reaping.table.rows[stubborn].others = True
    [log] = reaping.to_the_end()
    assert (log["pids"], log["reason"]) == ([stubborn], "may not be signalled: it runs as another user")
    assert 0.1 < reaping.orphans.timeout(60.0) <= orphans.STUBBORN_PAUSE_SECONDS
    walks = reaping.table.walks
    reaping.orphans.scan()
    assert reaping.table.walks == walks
    # Another worker dies: from now on scans are frequent again.
    reaping.table.rows[stubborn].others = False
    [log] = reaping.to_the_end()
    assert log["processes"] == 1
    assert reaping.table.alive == []


def test_process_that_does_not_die_is_scanned_until_it_does(reaping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.0)
    monkeypatch.setattr(orphans, "STUBBORN_PAUSE_SECONDS", 0.0)
    stubborn = reaping.table.start(mark=MARK)
    reaping.table.rows[stubborn].stuck = True
    reaping.to_the_end()
    reaping.table.die(stubborn)
    with capture_logs() as logs:
        for _ in range(1 + CLEAN_SCANS):
            reaping.orphans.scan()
    assert reaping.table.reaped == [stubborn]
    assert [log["event"] for log in logs] == ["killed the remaining processes of a dead worker"]


# Hazard 15.
def test_failed_scan_does_not_count_as_clean(reaping: Sweeping) -> None:
    table = reaping.table
    remaining = table.start(mark=MARK)

    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    table.before["children", table.me] = fail
    reaping.to_the_end()
    assert table.reaped == [remaining]


def test_death_of_another_worker_restarts_the_count_of_scans(reaping: Sweeping) -> None:
    reaping.begin()
    reaping.orphans.scan()
    reaping.begin()
    reaping.on()
    assert reaping.table.walks == 1 + CLEAN_SCANS
