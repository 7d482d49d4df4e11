"""How the supervisor stops, with fake workers."""

import os
import signal
from collections.abc import Iterator

import pytest
from fake_workers import FakeSystem, FakeWorker
from proc import open_descriptors
from structlog.testing import capture_logs
from supervisor_harness import LONG, Run
from worker_fates import dies, lives

from execwire.app.control_pipe import FAILED, KILL, STOP
from execwire.app.stop_signals import UNUSED_SIGNALS
from execwire.app.supervision import restarts, stop_plan


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystem]:
    before = open_descriptors()
    with monkeypatch.context() as patch:
        system = FakeSystem(lives)
        system.install(patch)
        yield system
        system.shut_down()
    assert len(open_descriptors() - before) <= 1, "only the selector may stay open"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("workers", [1, 3])
def test_supervisor_is_ready_once_and_stops_in_order(system: FakeSystem, number: int, workers: int) -> None:
    run = Run(system, workers)
    assert run.until_stopped(number) == 0
    assert run.ready == 1
    assert len(system.forked) == workers
    assert system.killed == []


def test_worker_that_fails_while_stopping_makes_the_stop_a_failure(system: FakeSystem) -> None:
    def fails(_: FakeSystem, worker: FakeWorker) -> None:
        worker.on_order = lambda system, worker: system.end(worker, 1 << 8)

    system.live(fails)
    assert Run(system).until_stopped() == FAILED
    assert len(system.forked) == 1


def is_slow(_: FakeSystem, worker: FakeWorker) -> None:
    """Exit only after KILL."""

    def end_when_killed(system: FakeSystem, worker: FakeWorker) -> None:
        if KILL in worker.orders:
            system.end(worker)

    worker.on_order = end_when_killed


@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)]
)
def test_second_signal_kills_running_tasks(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, int]
) -> None:
    monkeypatch.setattr(stop_plan, "REPEAT_AFTER_SECONDS", 0.0)
    system.live(is_slow)
    with capture_logs() as logs:
        assert Run(system, 2).until_stopped(*numbers) == 0
    assert [worker.orders for worker in system.played] == [STOP + KILL] * 2
    assert [(log["reason"], log["now"]) for log in logs if log["event"] == "stopping"] == [
        (signal.Signals(numbers[0]).name, False), (signal.Signals(numbers[1]).name, True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "numbers"),
    [(LONG, (signal.SIGTERM, signal.SIGTERM)), (LONG, (signal.SIGINT, signal.SIGTERM)), (0.0, (signal.SIGHUP,) * 3)],
)
def test_signals_in_quick_succession_count_as_one_and_sighup_never_kills_tasks(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, seconds: float, numbers: tuple[int, ...]
) -> None:
    monkeypatch.setattr(stop_plan, "REPEAT_AFTER_SECONDS", seconds)
    with capture_logs() as logs:
        assert Run(system, 2).until_stopped(*numbers) == 0
    assert [worker.orders for worker in system.played] == [STOP] * 2
    assert [log["now"] for log in logs if log["event"] == "stopping"] == [False]


@pytest.mark.parametrize(
    "numbers", [(signal.SIGQUIT,), (signal.SIGQUIT, signal.SIGTERM, signal.SIGQUIT), (signal.SIGTERM, signal.SIGQUIT)]
)
def test_sigquit_kills_running_tasks_at_any_time(system: FakeSystem, numbers: tuple[int, ...]) -> None:
    system.live(is_slow)
    with capture_logs() as logs:
        assert Run(system).until_stopped(*numbers) == 0
    assert KILL in system.played[0].orders
    assert [log["now"] for log in logs if log["event"] == "stopping"][-1:] == [True]


def test_unused_signals_are_logged_and_ignored(system: FakeSystem) -> None:
    with capture_logs() as logs:
        assert Run(system).until_stopped(*UNUSED_SIGNALS, signal.SIGTERM) == 0
    ignored = [log["signal"] for log in logs if log["event"].startswith("signal ignored")]
    assert len(set(ignored)) == len(ignored) == len(UNUSED_SIGNALS)
    assert {"SIGUSR1", "SIGALRM", "SIGIO", "SIGRTMIN", "SIGRTMIN+1"} <= set(ignored)


def test_worker_that_does_not_stop_in_time_is_killed(system: FakeSystem) -> None:
    def hangs(_: FakeSystem, worker: FakeWorker) -> None:
        worker.on_order = lambda _system, _worker: None

    system.live(hangs)
    with capture_logs() as logs:
        assert Run(system, stop_seconds=0.0).until_stopped() == FAILED
    assert system.killed == system.forked
    assert any(log["event"] == "a worker does not stop; killed" for log in logs)


def test_worker_that_dies_when_it_is_stopped_is_harmless(system: FakeSystem) -> None:
    run = Run(system)

    def close_and_stop() -> None:
        [worker] = system.workers
        os.close(worker.reading)
        system.send(signal.SIGTERM)
        system.end(worker)
        worker.reading = os.open(os.devnull, os.O_RDONLY)

    assert run.supervisor.run(close_and_stop) == 0


def test_stop_during_the_restart_delay_starts_no_worker(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "BACKOFF_SECONDS", 1000.0)

    run = Run(system)

    def die_and_stop_later() -> None:
        dies(system, system.workers[0])
        # It has been reaped by the time of the first scan for its remaining processes.
        system.table.before["children", system.table.me] = lambda: system.send(signal.SIGTERM)

    assert run.supervisor.run(die_and_stop_later) == 0
    assert len(system.forked) == 1
