"""Fake workers: a test simulates the forks and signals of a supervisor through their pipes."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fake_process_table import ProcessTable

from execwire.app import stop_signals
from execwire.app.control_pipe import READY
from execwire.app.supervision import orphans, restarts, supervisor
from execwire.app.supervision import worker as worker_module


def first_range(_: object) -> int:
    """Assign to every worker the range that contains small marks."""
    return 0


def obeys(system: "FakeSystem", worker: "FakeWorker") -> None:
    """Exit with status 0 on a control command."""
    if worker.orders:
        system.end(worker)


@dataclass
class FakeWorker:
    """A forked worker: the pipe of its control commands, and one that serves as its pidfd and closes at its exit."""

    pid: int
    reading: int
    given_by: int
    ready: int
    life: int = -1
    accepts: bool = True
    status: int = 0
    orders: bytes = b""
    on_order: Callable[["FakeSystem", "FakeWorker"], None] = obeys


Life = Callable[["FakeSystem", FakeWorker], object]


class FakeSystem:
    """What `supervisor`, `worker` and `stop_signals` use of the module os; only processes and signals are fake.

    A fork immediately runs the next of `lives`; the last one is used for all subsequent forks.
    """

    WNOHANG, O_NONBLOCK, O_CLOEXEC = os.WNOHANG, os.O_NONBLOCK, os.O_CLOEXEC
    close = staticmethod(os.close)
    read = staticmethod(os.read)
    set_blocking = staticmethod(os.set_blocking)
    waitstatus_to_exitcode = staticmethod(os.waitstatus_to_exitcode)

    def __init__(self, *lives: Life) -> None:
        self.live(*lives)
        self.table = ProcessTable()
        self.getpid = self.table.getpid
        # The workers that have not been reaped, and all workers.
        self.workers: list[FakeWorker] = []
        self.played: list[FakeWorker] = []
        self.forked: list[int] = []
        self.killed: list[int] = []
        self.handled: dict[int, object] = {}
        # Errors of fork and of pidfd_open, each for one call.
        self.refusals: list[OSError] = []
        self.pidfd_refusals: list[OSError] = []
        # Called when a worker accepts connections and is alive.
        self.on_accept: Callable[[], object] = lambda: None
        self._pipes: list[tuple[int, int]] = []
        self._signals: list[int] = []
        self._wakeup = -1

    def live(self, *lives: Life) -> None:
        """Set the behaviour of the next forks."""
        self.lives = list(lives)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table.install(monkeypatch)
        for module in (supervisor, worker_module, stop_signals):
            monkeypatch.setattr(module, "os", self)
        monkeypatch.setattr(supervisor, "become_subreaper", lambda: None)
        monkeypatch.setattr(supervisor, "new_range_start", first_range)
        monkeypatch.setattr(signal, "signal", self.handled.__setitem__)
        monkeypatch.setattr(signal, "set_wakeup_fd", self.wake)
        monkeypatch.setattr(signal, "getsignal", self.handled.get)
        for name in ("BACKOFF_TICK_SECONDS", "TICK_SECONDS"):
            monkeypatch.setattr(supervisor, name, 0.001)
        for name in ("BACKOFF_SECONDS", "RETRY_SECONDS", "MAX_PAUSE_SECONDS"):
            monkeypatch.setattr(restarts, name, 0.001)
        monkeypatch.setattr(orphans, "PAUSE_SECONDS", 0.001)
        monkeypatch.setattr(orphans, "timer_slack", lambda: None)

    def wake(self, descriptor: int, *, warn_on_full_buffer: bool) -> None:
        assert not warn_on_full_buffer
        self._wakeup = descriptor

    def send(self, *numbers: int) -> None:
        """Deliver signals to the supervisor, as through signal.set_wakeup_fd."""
        assert {*numbers} <= self.handled.keys()
        os.write(self._wakeup, bytes(numbers))

    def fork(self) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        (orders, given_by), (_, ready) = self._pipes[-2:]
        worker = FakeWorker(self.table.start(), os.dup(orders), given_by, ready)
        self.workers.append(worker)
        self.played.append(worker)
        self.forked.append(worker.pid)
        live = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        live(self, worker)
        if worker.accepts:
            self.accept(worker)
            self.on_accept()
        return worker.pid

    def accept(self, worker: FakeWorker) -> None:
        """Let the worker report that it is ready."""
        worker.accepts = False
        os.write(worker.ready, READY)

    def write(self, descriptor: int, data: bytes) -> int:
        written = os.write(descriptor, data)
        for worker in [each for each in self.workers if each.given_by == descriptor]:
            worker.orders += os.read(worker.reading, written)
            worker.on_order(self, worker)
        return written

    def pidfd_open(self, pid: int) -> int:
        if self.pidfd_refusals:
            raise self.pidfd_refusals.pop(0)
        worker = self._worker(pid)
        alive, life = os.pipe()
        if pid in self.table.alive:
            worker.life = life
        else:
            os.close(life)
        return alive

    def kill(self, pid: int, number: int) -> None:
        assert number == signal.SIGKILL
        self.killed.append(pid)
        self.end(self._worker(pid), signal.SIGKILL)

    def waitpid(self, pid: int, options: int) -> tuple[int, int]:
        assert options == 0
        del self.table.rows[pid]
        worker = self._worker(pid)
        self.workers.remove(worker)
        os.close(worker.reading)
        return pid, worker.status

    def end(self, worker: FakeWorker, status: int = 0) -> None:
        """Let a worker exit with this wait status, before or after it is ready."""
        if worker.pid not in self.table.alive:
            return
        worker.status = status
        worker.accepts = False
        self.table.die(worker.pid)
        if worker.life >= 0:
            os.close(worker.life)
            worker.life = -1

    def pipe(self) -> tuple[int, int]:
        self._pipes.append(os.pipe())
        return self._pipes[-1]

    def pipe2(self, flags: int) -> tuple[int, int]:
        ends = os.pipe2(flags)
        self._signals += ends
        return ends

    def shut_down(self) -> None:
        """Close the descriptors that the supervisor keeps until its exit."""
        for descriptor in self._signals:
            os.close(descriptor)

    def _worker(self, pid: int) -> FakeWorker:
        [worker] = [worker for worker in self.workers if worker.pid == pid]
        return worker
