"""What the supervisor decides, with workers that a test plays."""

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from workers import FakeSystem, FakeWorker, Run, dies, lives

from execwire.app import supervisor
from execwire.app.supervisor import FAILED, HURRY, MAX_YOUNG_DEATHS, STOP


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystem]:
    before = open_descriptors()
    with monkeypatch.context() as patch:
        system = FakeSystem(lives)
        system.install(patch)
        yield system
    assert open_descriptors() <= before + 1, "the selector alone may stay"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("workers", [1, 3])
def test_it_is_ready_once_and_stops_in_good_order(system: FakeSystem, number: int, workers: int) -> None:
    run = Run(system, workers)
    assert run.until_stopped(number) == 0
    assert run.ready == 1
    assert len(system.forked) == workers
    assert system.killed == []


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
        worker.accepts = False
        tasks.append(system.table.start(worker.pid, mark=5))

    def works_and_dies(system: FakeSystem, worker: FakeWorker) -> None:
        works(system, worker)
        dies(system, worker)

    system.live(works, works_and_dies, lives)
    with capture_logs() as logs:
        assert Run(system, 2).until_stopped() == 0
    # The sibling ended in good order after it: what it left on purpose stays.
    assert system.table.killed == [tasks[1]]
    assert [log["processes"] for log in logs if "left behind" in log["event"]] == [1]


def test_what_does_not_die_is_logged_and_the_supervisor_goes_on(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SWEEP_SECONDS", 0.02)

    def leaves_the_stubborn(system: FakeSystem, worker: FakeWorker) -> None:
        pid = system.table.start(worker.pid, mark=5)
        system.table.rows[pid].others = True
        dies(system, worker)

    system.live(leaves_the_stubborn, lives)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == 0
    [stubborn] = [log for log in logs if log["event"] == "some of it does not die"]
    assert "another user" in stubborn["reason"]


def test_workers_that_die_again_and_again_right_after_their_start_are_given_up(system: FakeSystem) -> None:
    system.live(dies)
    with capture_logs() as logs:
        assert Run(system).until_stopped() == FAILED
    assert len(system.forked) == MAX_YOUNG_DEATHS
    assert any("giving up" in log["event"] for log in logs)


def test_deaths_of_old_workers_are_no_reason_to_give_up(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "YOUNG_SECONDS", 0.0)
    system.live(*[dies] * (2 * MAX_YOUNG_DEATHS), lives)
    assert Run(system).until_stopped() == 0


def test_a_worker_that_fails_while_stopping_makes_the_stop_a_failure(system: FakeSystem) -> None:
    run = Run(system)

    def stop() -> None:
        system.send(signal.SIGTERM)
        system.end(system.workers[0], 1 << 8)

    assert run.supervisor.run(stop) == FAILED
    assert len(system.forked) == 1


def test_a_second_signal_is_an_order_to_hurry(system: FakeSystem) -> None:
    run = Run(system, 2)
    orders: list[bytes] = []

    def stop_twice() -> None:
        system.send(signal.SIGTERM)
        system.send(signal.SIGINT)
        for worker in system.workers:
            orders.append(worker.ordered())
            system.end(worker)

    assert run.supervisor.run(stop_twice) == 0
    assert orders == [STOP + HURRY] * 2


def test_a_worker_that_does_not_stop_in_time_is_killed(system: FakeSystem) -> None:
    run = Run(system, stop_seconds=0.0)
    with capture_logs() as logs:
        assert run.supervisor.run(lambda: system.send(signal.SIGTERM)) == FAILED
    assert system.killed == system.forked
    assert any(log["event"] == "a worker does not stop; killed" for log in logs)


def test_a_worker_that_dies_as_it_is_told_to_stop_is_no_trouble(system: FakeSystem) -> None:
    run = Run(system)

    def stop() -> None:
        os.close(system.workers[0].orders)
        system.send(signal.SIGTERM)
        system.workers[0].orders = os.open(os.devnull, os.O_RDONLY)
        system.end(system.workers[0])

    assert run.supervisor.run(stop) == 0


# Hazard 15.
def test_a_fork_that_fails_is_tried_again_and_costs_no_descriptors(system: FakeSystem) -> None:
    system.refusals = [BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable") for _ in range(10)]
    before = open_descriptors()
    in_use: list[int] = []
    run = Run(system)

    def look_and_stop() -> None:
        in_use.append(open_descriptors())
        system.send(signal.SIGTERM)
        system.end(system.workers[0])

    with capture_logs() as logs:
        assert run.supervisor.run(look_and_stop) == 0
    assert len([log for log in logs if "cannot start a worker" in log["event"]]) == 10
    assert in_use[0] < before + 10


# Hazard 15.
def test_a_worker_that_cannot_be_watched_sees_its_orders_end_and_another_is_started(system: FakeSystem) -> None:
    system.pidfd_refusals = [OSError(errno.EMFILE, "Too many open files")]
    run = Run(system)
    assert run.until_stopped() == 0
    assert len(system.forked) == 2
    [unwatched] = system.workers
    assert unwatched.pid == system.forked[0]
    assert os.read(unwatched.orders, 1) == b""
    os.close(unwatched.orders)
