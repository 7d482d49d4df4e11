"""What the supervisor does when workers die, with fake workers."""

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
    assert len(open_descriptors() - before) <= 1, "only the selector may stay open"


def test_dead_worker_is_replaced_and_logged(system: FakeSystem) -> None:
    system.live(dies, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    assert len(system.forked) == 2
    deaths = [log for log in logs if log["event"] == "a worker died"]
    assert [(log["pid"], log["status"], log["restart"]) for log in deaths] == [
        (system.forked[0], -signal.SIGSEGV, True)
    ]


# Hazard 9.
def test_processes_of_a_dead_worker_are_killed_and_those_of_its_sibling_are_not(system: FakeSystem) -> None:
    tasks: list[int] = []

    def works(system: FakeSystem, worker: FakeWorker) -> None:
        tasks.append(system.table.start(worker.pid, mark=5))

    def works_and_dies(system: FakeSystem, worker: FakeWorker) -> None:
        works(system, worker)
        dies(system, worker)
        stop_after_cleanup()

    clean = 0

    def stop_after_cleanup() -> None:
        nonlocal clean
        clean += tasks[1] not in system.table.rows
        if clean == CLEAN_SCANS:
            system.send(signal.SIGTERM)
        else:
            system.table.before["children", system.table.me] = stop_after_cleanup

    system.live(works, works_and_dies, lives)
    with capture_logs() as logs:
        assert Run(system, 2).supervisor.run(lambda: None) == 0
    # The sibling stopped in order afterwards, so its remaining processes are kept.
    assert system.table.killed == [tasks[1]]
    assert [log["processes"] for log in logs if "remaining processes" in log["event"]] == [1]


def test_process_that_does_not_die_is_logged_and_the_supervisor_continues(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "STUBBORN_SECONDS", 0.02)

    def leaves_unkillable_process(system: FakeSystem, worker: FakeWorker) -> None:
        pid = system.table.start(worker.pid, mark=5)
        system.table.rows[pid].others = True
        dies(system, worker)

    system.live(leaves_unkillable_process, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    [error] = [log for log in logs if log["event"].startswith("remaining processes of a dead worker do not die")]
    assert "another user" in error["reason"]


def test_workers_that_keep_crashing_at_their_start_are_not_restarted(system: FakeSystem) -> None:
    system.live(dies)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == FAILED
    assert len(system.forked) == START_LIMIT_BURST
    assert any("giving up" in log["event"] for log in logs)


def test_workers_that_keep_being_killed_are_restarted(system: FakeSystem) -> None:
    # The kernel does so when memory is short.
    system.live(*[is_killed] * (2 * START_LIMIT_BURST), lives)
    assert Run(system).until_stopped() == 0


def test_workers_that_crash_later_are_restarted(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "START_LIMIT_SECONDS", 0.0)
    system.live(*[dies] * (2 * START_LIMIT_BURST), lives)
    assert Run(system).until_stopped() == 0


def test_child_from_before_the_supervisor_is_not_killed(system: FakeSystem) -> None:
    # Started by the program that executed the supervisor in this process.
    earlier_child = system.table.start()
    system.live(dies, lives)
    assert Run(system).until_stopped() == 0
    assert system.table.alive == [earlier_child]


def test_sigchld_is_caught_even_if_it_was_ignored(system: FakeSystem) -> None:
    system.handled[signal.SIGCHLD] = signal.SIG_IGN
    Run(system).until_stopped()
    assert system.handled[signal.SIGCHLD] not in (signal.SIG_IGN, signal.SIG_DFL)
