"""What the supervisor does when a worker cannot be started, with fake workers."""

import errno
import selectors
import signal
from collections.abc import Iterator

import pytest
from fake_workers import FakeSystem, FakeWorker
from proc import open_descriptors
from structlog.testing import capture_logs
from supervisor_harness import Run
from worker_fates import dies, fails, lives

from execwire.app.control_pipe import FAILED
from execwire.app.supervision import supervisor
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


def hangs(_: FakeSystem, worker: FakeWorker) -> None:
    """Neither accept connections nor exit."""
    worker.accepts = False


# Hazard 15.
def test_restart_is_tried_again_until_a_shortage_ends(system: FakeSystem) -> None:
    system.live(dies, *[fails] * (2 * START_LIMIT_BURST), lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    failures = [log for log in logs if log["event"] == "cannot start a worker; trying again"]
    assert [log["reason"] for log in failures] == ["no more of it"] * (2 * START_LIMIT_BURST)


def test_first_worker_that_cannot_be_started_stops_the_agent(system: FakeSystem) -> None:
    system.live(fails)
    run = Run(system)
    with capture_logs() as logs:
        assert run.until_stopped() == FAILED
    assert (run.supervisor.start_failure, run.ready, len(system.forked)) == ("no more of it", 0, 1)
    # The caller of `run` reports it, in one line.
    assert logs == []


def test_first_worker_that_dies_at_its_start_stops_the_agent(system: FakeSystem) -> None:
    system.live(lambda system, worker: system.end(worker, signal.SIGSEGV))
    run = Run(system)
    assert run.until_stopped() == FAILED
    assert run.supervisor.start_failure == "it ended at its start: SIGSEGV"


def test_worker_that_is_not_ready_in_time_is_killed_and_replaced(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.0)

    system.live(dies, hangs, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    assert system.killed == [system.forked[1]]
    assert [log["event"] for log in logs if "ready" in log["event"]] == ["a worker is not ready in time; killed"]


# Hazard 15.
def test_failed_fork_is_tried_again_and_leaks_no_descriptors(system: FakeSystem) -> None:
    refusals: list[OSError] = [BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable") for _ in range(10)]

    def dies_before_forks_fail(system: FakeSystem, worker: FakeWorker) -> None:
        system.refusals = refusals
        dies(system, worker)

    system.live(dies_before_forks_fail, lives)
    before = open_descriptors()
    in_use: list[set[int]] = []
    run = Run(system)

    def record_and_stop() -> None:
        in_use.append(open_descriptors())
        system.send(signal.SIGTERM)

    with capture_logs() as logs:
        system.on_accept = record_and_stop
        assert run.supervisor.run(lambda: None) == 0
    assert len([log for log in logs if "cannot start a worker" in log["event"]]) == 10
    assert len(in_use[0] - before) < 10


# Hazard 15.
def test_worker_without_a_pidfd_is_killed_reaped_and_replaced(system: FakeSystem) -> None:
    def dies_before_pidfds_fail(system: FakeSystem, worker: FakeWorker) -> None:
        dies(system, worker)
        system.pidfd_refusals = [OSError(errno.EMFILE, "Too many open files")]

    system.live(lives, dies_before_pidfds_fail, lives)
    assert Run(system, 2).until_stopped() == FAILED
    assert system.killed == system.forked[1:2]
    assert system.workers == []


# Hazard 15.
def test_worker_that_cannot_be_polled_is_killed_reaped_and_replaced(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(system)
    register, refusals = selectors.DefaultSelector.register, [OSError(errno.ENOSPC, "No space left on device")]

    def failing_register(selector: selectors.DefaultSelector, descriptor: int, events: int, data: object) -> object:
        if len(system.forked) == 2 and refusals:
            raise refusals.pop()
        return register(selector, descriptor, events, data)

    monkeypatch.setattr(selectors.DefaultSelector, "register", failing_register)
    system.live(dies, hangs, lives)
    with capture_logs() as logs:
        assert run.until_stopped() == 0
    assert len(system.forked) == 3
    assert system.killed == [system.forked[1]]
    assert [log["reason"] for log in logs if "cannot start" in log["event"]] == [
        "No space left on device while starting a process"
    ]
