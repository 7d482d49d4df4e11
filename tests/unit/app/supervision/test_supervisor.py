"""What the supervisor decides, with workers that a test plays."""

import signal
from collections.abc import Iterator

import pytest
from fake_workers import FakeSystem, FakeWorker
from proc import open_descriptors
from structlog.testing import capture_logs
from supervisor_harness import Run
from worker_fates import dies, is_killed, lives

from execwire.adapters.linux.survivors import CLEAN_SCANS
from execwire.app.control_pipe import FAILED
from execwire.app.supervision import orphans, restarts
from execwire.app.supervision.restarts import START_LIMIT_BURST


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystem]:
    before = open_descriptors()
    with monkeypatch.context() as patch:
        system = FakeSystem(lives)
        system.install(patch)
        yield system
        system.shut_down()
    assert len(open_descriptors() - before) <= 1, "the selector alone may stay"


def test_a_worker_that_dies_is_replaced_and_that_is_logged(system: FakeSystem) -> None:
    system.live(dies, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    assert len(system.forked) == 2
    deaths = [log for log in logs if log["event"] == "a worker died"]
    assert [(log["pid"], log["status"], log["restart"]) for log in deaths] == [
        (system.forked[0], -signal.SIGSEGV, True)
    ]


# Hazard 9.
def test_what_a_dead_worker_left_behind_is_killed_and_its_siblings_tasks_are_not(system: FakeSystem) -> None:
    tasks: list[int] = []

    def works(system: FakeSystem, worker: FakeWorker) -> None:
        tasks.append(system.table.start(worker.pid, mark=5))

    def works_and_dies(system: FakeSystem, worker: FakeWorker) -> None:
        works(system, worker)
        dies(system, worker)
        stop_after_the_sweep()

    clean = 0

    def stop_after_the_sweep() -> None:
        nonlocal clean
        clean += tasks[1] not in system.table.rows
        if clean == CLEAN_SCANS:
            system.send(signal.SIGTERM)
        else:
            system.table.before["children", system.table.me] = stop_after_the_sweep

    system.live(works, works_and_dies, lives)
    with capture_logs() as logs:
        assert Run(system, 2).supervisor.run(lambda: None) == 0
    # The sibling ended in good order after it: what it left on purpose stays.
    assert system.table.killed == [tasks[1]]
    assert [log["processes"] for log in logs if "remaining processes" in log["event"]] == [1]


def test_what_does_not_die_is_logged_and_the_supervisor_goes_on(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.02)

    def leaves_the_stubborn(system: FakeSystem, worker: FakeWorker) -> None:
        pid = system.table.start(worker.pid, mark=5)
        system.table.rows[pid].others = True
        dies(system, worker)

    system.live(leaves_the_stubborn, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    [stubborn] = [log for log in logs if log["event"].startswith("remaining processes of a dead worker do not die")]
    assert "another user" in stubborn["reason"]


def test_workers_that_die_again_and_again_right_after_their_start_are_given_up(system: FakeSystem) -> None:
    system.live(dies)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == FAILED
    assert len(system.forked) == START_LIMIT_BURST
    assert any("giving up" in log["event"] for log in logs)


def test_workers_that_are_killed_again_and_again_are_started_again(system: FakeSystem) -> None:
    # As where memory is short.
    system.live(*[is_killed] * (2 * START_LIMIT_BURST), lives)
    assert Run(system).until_stopped() == 0


def test_deaths_of_old_workers_are_no_reason_to_give_up(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "START_LIMIT_SECONDS", 0.0)
    system.live(*[dies] * (2 * START_LIMIT_BURST), lives)
    assert Run(system).until_stopped() == 0


def test_who_was_there_before_the_supervisor_is_none_of_its_business(system: FakeSystem) -> None:
    # Started by whoever became this process.
    stranger = system.table.start()
    system.live(dies, lives)
    assert Run(system).until_stopped() == 0
    assert system.table.alive == [stranger]


def test_a_child_that_dies_is_seen_even_where_that_was_left_ignored(system: FakeSystem) -> None:
    system.handled[signal.SIGCHLD] = signal.SIG_IGN
    Run(system).until_stopped()
    assert system.handled[signal.SIGCHLD] not in (signal.SIG_IGN, signal.SIG_DFL)
