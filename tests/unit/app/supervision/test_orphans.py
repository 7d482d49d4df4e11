"""What a dead worker left behind, over a table of processes: killed in slices, until none has been seen."""

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
def sweeping(monkeypatch: pytest.MonkeyPatch) -> Sweeping:
    table = ProcessTable()
    table.install(monkeypatch)
    monkeypatch.setattr(orphans, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(orphans, "timer_slack", lambda: None)
    return Sweeping(table)


def test_without_a_death_nothing_is_looked_at(sweeping: Sweeping) -> None:
    assert not sweeping.orphans.pending
    sweeping.orphans.scan()
    assert sweeping.table.walks == 0
    assert sweeping.orphans.timeout(0.5) == 0.5


# Hazard 9.
def test_all_that_is_left_is_killed_and_counted_and_the_living_workers_are_left_alone(sweeping: Sweeping) -> None:
    table = sweeping.table
    worker = table.start(mark=MARK)
    sweeping.orphans.add_worker(worker)
    its_task = table.start(worker, mark=MARK)
    left = [table.start(mark=MARK), table.start(mark=MARK)]
    left.append(table.start(left[0]))
    logs = sweeping.to_the_end()
    assert table.alive == [worker, its_task]
    assert sorted(table.killed) == sorted(table.reaped) == left
    assert [(log["event"], log["processes"]) for log in logs] == [
        ("killed the remaining processes of a dead worker", 3)
    ]


def test_what_no_worker_has_started_is_reaped_and_otherwise_left_alone(sweeping: Sweeping) -> None:
    table = sweeping.table
    foreign = [table.start(), table.start(mark=OTHER_RANGE)]
    below = table.start(foreign[0])
    assert sweeping.to_the_end() == []
    assert (table.alive, table.killed) == ([*foreign, below], [])
    table.die(foreign[0])
    sweeping.orphans.reap()
    sweeping.orphans.scan()
    assert (table.reaped, table.killed) == ([foreign[0]], [])
    assert sweeping.orphans.timeout(0.5) == 0.5


def test_a_worker_that_ended_in_good_order_leaves_its_daemons_alone(sweeping: Sweeping) -> None:
    table = sweeping.table
    worker = table.start()
    sweeping.orphans.add_worker(worker)
    daemon = table.start(worker, mark=MARK)
    table.vanish(worker)
    sweeping.orphans.remove_worker(worker)
    sweeping.orphans.reap()
    sweeping.orphans.scan()
    assert table.alive == [daemon]


def test_what_was_met_before_its_worker_was_known_to_be_dead_is_killed_all_the_same(sweeping: Sweeping) -> None:
    orphan = sweeping.table.start(mark=MARK)
    sweeping.orphans.reap()
    sweeping.orphans.scan()
    assert sweeping.table.alive == [orphan]
    sweeping.to_the_end()
    assert sweeping.table.alive == []


def test_what_bears_the_second_mark_alone_is_killed(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan, foreign = sweeping.table.start(), sweeping.table.start()

    class Slack(TimerSlack):
        def number(self, pid: int) -> int:
            return {orphan: 17}.get(pid, 0)

    monkeypatch.setattr(orphans, "timer_slack", lambda: Slack(50_000))
    swept = Sweeping(sweeping.table)
    swept.to_the_end()
    assert swept.table.alive == [foreign]


def test_nothing_left_is_nothing_to_log_and_takes_the_walks_that_show_it(sweeping: Sweeping) -> None:
    assert sweeping.to_the_end() == []
    assert sweeping.table.walks == CLEAN_SCANS
    assert sweeping.orphans.timeout(0.5) == 0.5


# Hazard 6.
def test_who_forks_while_it_is_killed_is_found(sweeping: Sweeping) -> None:
    table = sweeping.table
    first = table.start(mark=MARK)
    table.before["kill", first] = lambda: table.start(first)
    sweeping.to_the_end()
    assert table.alive == []


def test_a_large_family_is_walked_in_slices_so_that_the_workers_get_their_turn(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "SLICE_SECONDS", 0.0)
    for _ in range(20):
        sweeping.table.start(mark=MARK)
    sweeping.begin()
    counts: list[int] = []
    while sweeping.orphans.pending:
        assert sweeping.orphans.timeout(0.5) == 0.0
        sweeping.orphans.scan()
        counts.append(len(sweeping.table.killed))
    assert len(set(counts)) == 20


# Hazard 7.
def test_what_does_not_die_is_said_once_and_swept_on_at_a_slower_pace(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.01)
    stubborn = sweeping.table.start(mark=MARK)
    sweeping.table.rows[stubborn].others = True
    [log] = sweeping.to_the_end()
    assert (log["pids"], log["reason"]) == ([stubborn], "may not be signalled: it runs as another user")
    assert 0.1 < sweeping.orphans.timeout(60.0) <= orphans.STUBBORN_PAUSE_SECONDS
    walks = sweeping.table.walks
    sweeping.orphans.scan()
    assert sweeping.table.walks == walks
    # Another worker dies: from now on it is looked at often again.
    sweeping.table.rows[stubborn].others = False
    [log] = sweeping.to_the_end()
    assert log["processes"] == 1
    assert sweeping.table.alive == []


def test_what_does_not_die_is_swept_on_until_it_does(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.0)
    monkeypatch.setattr(orphans, "STUBBORN_PAUSE_SECONDS", 0.0)
    stubborn = sweeping.table.start(mark=MARK)
    sweeping.table.rows[stubborn].stuck = True
    sweeping.to_the_end()
    sweeping.table.die(stubborn)
    with capture_logs() as logs:
        for _ in range(1 + CLEAN_SCANS):
            sweeping.orphans.scan()
    assert sweeping.table.reaped == [stubborn]
    assert [log["event"] for log in logs] == ["killed the remaining processes of a dead worker"]


# Hazard 15.
def test_what_cannot_be_looked_for_is_not_called_gone(sweeping: Sweeping) -> None:
    table = sweeping.table
    left = table.start(mark=MARK)

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    table.before["children", table.me] = refuse
    sweeping.to_the_end()
    assert table.reaped == [left]


def test_a_death_during_a_sweep_has_the_walks_counted_anew(sweeping: Sweeping) -> None:
    sweeping.begin()
    sweeping.orphans.scan()
    sweeping.begin()
    sweeping.on()
    assert sweeping.table.walks == 1 + CLEAN_SCANS
