"""Workers without processes: a supervisor's forks, played by a test through the pipes that they would hold."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from process_table import ProcessTable

from execwire.app import supervisor
from execwire.app.supervisor import STOP, Supervisor

LONG = 60.0


@dataclass
class FakeWorker:
    """What one fork would hold: its orders, and the pipe that stands for its pidfd and hangs up at its end."""

    pid: int
    orders: int
    life: int = -1
    accepts: bool = True
    status: int = 0

    def ordered(self) -> bytes:
        os.set_blocking(self.orders, False)
        try:
            return os.read(self.orders, 16)
        except BlockingIOError:
            return b""


class FakeSystem:
    """What `supervisor` uses of the module os; all but processes is real.

    A fork does at once what the next of `lives` says; the last one is that of all further ones.
    """

    WNOHANG = os.WNOHANG
    close = staticmethod(os.close)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    waitstatus_to_exitcode = staticmethod(os.waitstatus_to_exitcode)

    def __init__(self, *lives: "Callable[[FakeSystem, FakeWorker], object]") -> None:
        self.live(*lives)
        self.table = ProcessTable()
        # Those that have not been reaped, and all that there ever were, by pid.
        self.workers: list[FakeWorker] = []
        self.forked: list[int] = []
        self.killed: list[int] = []
        self.handlers: dict[int, Callable[[int, object], object]] = {}
        # Of fork and of pidfd_open, each for one call.
        self.refusals: list[OSError] = []
        self.pidfd_refusals: list[OSError] = []
        self._pipes: list[tuple[int, int]] = []

    def live(self, *lives: "Callable[[FakeSystem, FakeWorker], object]") -> None:
        """Have the next forks live like this."""
        self.lives = list(lives)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table.install(monkeypatch)
        monkeypatch.setattr(supervisor, "os", self)
        monkeypatch.setattr(supervisor, "become_subreaper", lambda: None)
        monkeypatch.setattr(signal, "signal", self.handlers.__setitem__)
        for name in ("BACKOFF_SECONDS", "RETRY_SECONDS", "WALK_PAUSE_SECONDS"):
            monkeypatch.setattr(supervisor, name, 0.001)

    def send(self, number: int) -> None:
        """Have the supervisor get a signal."""
        self.handlers[number](number, None)

    def fork(self) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        (orders, _), (_, ready) = self._pipes[-2:]
        worker = FakeWorker(self.table.start(), os.dup(orders))
        self.workers.append(worker)
        self.forked.append(worker.pid)
        live = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        live(self, worker)
        if worker.accepts:
            os.write(ready, b"!")
        return worker.pid

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
        os.close(worker.orders)
        return pid, worker.status

    def end(self, worker: FakeWorker, status: int = 0) -> None:
        """End a worker with this wait status, before it accepts or afterwards."""
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

    def _worker(self, pid: int) -> FakeWorker:
        [worker] = [worker for worker in self.workers if worker.pid == pid]
        return worker


def no_work(orders: int, ready: int) -> int:
    raise AssertionError((orders, ready))


def lives(_: FakeSystem, worker: FakeWorker) -> None:
    assert worker.pid


def dies(system: FakeSystem, worker: FakeWorker) -> None:
    system.end(worker, signal.SIGSEGV)


class Run:
    """A run of a supervisor to its end; `on_ready` is a test's own."""

    def __init__(self, system: FakeSystem, workers: int = 1, stop_seconds: float = LONG) -> None:
        self.system = system
        self.supervisor = Supervisor(workers, no_work, stop_seconds)
        self.ready = 0

    def until_stopped(self, number: int = signal.SIGTERM) -> int:
        """Run; as it is ready, send a signal; each worker that is told to stop ends as it should."""

        def stop() -> None:
            self.ready += 1
            self.system.send(number)
            for worker in self.system.workers:
                if worker.ordered() == STOP:
                    self.system.end(worker)

        return self.supervisor.run(stop)
