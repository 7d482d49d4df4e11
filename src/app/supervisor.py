"""The small parent of the workers: owns the listening socket, restarts them, kills what a dead one left behind.

It does nothing else, so that little can end it. Orders go to a worker through a pipe whose end-of-file means that the
supervisor has died; the signals of a terminal or a service manager, which reach all processes, are obeyed here alone.
"""

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ..adapters.subprocess.containment import become_subreaper
from ..adapters.subprocess.descent import CLEAN_WALKS, Descent, Sighting

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP, HURRY = b"s", b"h"
"""Orders: stop, and kill what still runs."""
YOUNG_SECONDS = 1.0
MAX_YOUNG_DEATHS = 5
"""So many workers in a row that died right after their start are no accident."""
BACKOFF_SECONDS = 0.05
RETRY_SECONDS = 1.0
SWEEP_SECONDS = 2.0
WALK_PAUSE_SECONDS = 0.005
TICK_SECONDS = 0.5
FAILED = 1


@dataclass(frozen=True, slots=True)
class Worker:
    """A forked process: its pidfd, the pipe with its orders, and the monotonic seconds at which it was started."""

    pid: int
    pidfd: int
    orders: int
    started_at: float


class Supervisor:
    """Runs `work` in forked processes until told to stop.

    `work` takes the descriptor from which its orders are read and one to which it writes a byte when it accepts; what
    it returns is the exit status of its process, 0 after a stop in good order.
    """

    def __init__(self, count: int, work: Callable[[int, int], int], stop_seconds: float) -> None:
        """Have `count` workers; one that does not stop within `stop_seconds` is killed."""
        self._count = count
        self._work = work
        self._stop_seconds = stop_seconds
        self._selector = selectors.DefaultSelector()
        self._descent = Descent()
        self._workers: dict[int, Worker] = {}
        # A pipe through which Python passes on the numbers of signals.
        self._signals, self._signalled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # When to start the workers that are missing.
        self._start_at = 0.0
        self._young_deaths = 0
        self._stop_at: float | None = None
        self._status = 0

    def run(self, on_ready: Callable[[], None]) -> int:
        """Supervise to the end and return the exit status; `on_ready` is called once, when the first worker accepts."""
        self._on_ready: Callable[[], None] | None = on_ready
        become_subreaper()
        # A parent may have left it ignored; children would then be reaped before anybody sees how they ended (wait(2)).
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A handler that did the work could interrupt a log line, and then wait for the lock of that line for ever.
        signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._signals, selectors.EVENT_READ, self._obey)
        while self._workers or self._stop_at is None:
            self._keep_up()
            for key, _ in self._selector.select(TICK_SECONDS if self._all_there else BACKOFF_SECONDS):
                key.data()
        return self._status

    @property
    def _all_there(self) -> bool:
        return len(self._workers) == self._count or self._stop_at is not None

    def _keep_up(self) -> None:
        now = time.monotonic()
        if self._stop_at is None:
            while len(self._workers) < self._count and now >= self._start_at:
                self._try_to_start()
        elif now >= self._stop_at + self._stop_seconds:
            for pid in self._workers:
                _log.error("a worker does not stop; killed", pid=pid)
                os.kill(pid, signal.SIGKILL)
            self._stop_at = now

    def _try_to_start(self) -> None:
        # Until it ignores them, a worker would pass on signals of its own through the pipe of its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self._start()
        except OSError as error:
            _log.error("cannot start a worker; trying again", reason=error.strerror)
            self._start_at = time.monotonic() + RETRY_SECONDS
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _start(self) -> None:
        (orders, give), (ready, tell) = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become_worker(give, ready)
            sys.exit(self._work(orders, tell))
        os.close(orders)
        os.close(tell)
        worker = Worker(pid, os.pidfd_open(pid), give, time.monotonic())
        self._workers[pid] = worker
        self._descent.enrol(pid, 0)
        self._selector.register(worker.pidfd, selectors.EVENT_READ, lambda: self._bury(worker))
        self._selector.register(ready, selectors.EVENT_READ, lambda: self._ready(ready))

    def _become_worker(self, *not_ours: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        # A worker that held its siblings' orders would keep them from seeing the supervisor's end.
        not_ours += (self._signals, self._signalled)
        for descriptor in (*not_ours, *(worker.orders for worker in self._workers.values())):
            os.close(descriptor)
        self._selector.close()

    def _ready(self, ready: int) -> None:
        accepting = bool(os.read(ready, 1))
        self._selector.unregister(ready)
        os.close(ready)
        if accepting and self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _bury(self, worker: Worker) -> None:
        _, wait_status = os.waitpid(worker.pid, 0)
        self._selector.unregister(worker.pidfd)
        os.close(worker.pidfd)
        os.close(worker.orders)
        del self._workers[worker.pid]
        self._descent.release(worker.pid)
        status = os.waitstatus_to_exitcode(wait_status)
        if self._stop_at is not None and status == 0:
            return
        young = time.monotonic() - worker.started_at < YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        _log.error("a worker died", pid=worker.pid, status=status, restart=self._stop_at is None)
        if self._stop_at is not None:
            self._status = FAILED
        elif self._young_deaths >= MAX_YOUNG_DEATHS:
            self._status = FAILED
            _log.error("giving up: workers die right after their start", deaths=self._young_deaths)
            self._stop("repeated deaths")
        else:
            self._start_at = time.monotonic() + BACKOFF_SECONDS * (2**self._young_deaths - 1)
            self._keep_up()
        self._sweep()

    def _sweep(self) -> None:
        """Kill what dead workers left behind; all of it is adopted by this process."""
        deadline = time.monotonic() + SWEEP_SECONDS
        clean, killed = 0, set[int]()
        sighting = Sighting()
        while clean < CLEAN_WALKS and time.monotonic() < deadline:
            sighting = Sighting()
            for _ in self._descent.walk_adopted(sighting):
                pass
            killed.update(sighting.alive)
            clean = 0 if sighting.alive else clean + 1
            time.sleep(WALK_PAUSE_SECONDS)
        if killed:
            _log.warning("killed what a dead worker left behind", processes=len(killed))
        if sighting.alive:
            _log.error("some of it does not die", pids=sighting.alive, reason=sighting.reason)

    def _obey(self) -> None:
        for number in os.read(self._signals, 512):
            if number in STOP_SIGNALS:
                self._stop(signal.Signals(number).name)

    def _stop(self, reason: str) -> None:
        order = STOP if self._stop_at is None else HURRY
        self._stop_at = self._stop_at or time.monotonic()
        _log.info("stopping", reason=reason, now=order is HURRY)
        for worker in self._workers.values():
            with contextlib.suppress(BrokenPipeError):  # it has just died
                os.write(worker.orders, order)
