"""The small parent of the workers: owns the listening socket, restarts them, kills what a dead one left behind.

It does nothing else, so that little can end it. Orders go to a worker through a pipe whose end-of-file means that the
supervisor has died; the signals of a terminal or a service manager, which reach all processes, are obeyed here alone.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable

import structlog

from ..adapters.subprocess.descent import Descent
from ..adapters.subprocess.subreaper import become_subreaper
from .orphans import Orphans
from .stop_signals import StopSignals
from .worker import HURRY, STOP, Worker, start_worker

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

YOUNG_SECONDS = 1.0
MAX_YOUNG_DEATHS = 5
"""So many workers in a row that died right after their start are no accident."""
BACKOFF_SECONDS = 0.05
RETRY_SECONDS = 1.0
TICK_SECONDS = 0.5
FAILED = 1
_NO_MARK = 0


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
        self._orphans = Orphans(self._descent)
        self._workers: dict[int, Worker] = {}
        # When to start the workers that are missing.
        self._start_at = 0.0
        self._young_deaths = 0
        self._stop_at: float | None = None
        self._status = 0

    def run(self, on_ready: Callable[[], None]) -> int:
        """Supervise to the end and return the exit status; `on_ready` is called once, when the first worker accepts."""
        self._on_ready: Callable[[], None] | None = on_ready
        become_subreaper()
        # Started by whoever became this process (exec), and none of our business.
        self._descent.enrol_present(_NO_MARK)
        # A parent may have left it ignored; children would then be reaped before anybody sees how they ended (wait(2)).
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._signals = StopSignals()
        self._selector.register(self._signals.descriptor, selectors.EVENT_READ, self._heed)
        while self._workers or self._orphans.awaited or self._stop_at is None:
            self._keep_up()
            self._orphans.sweep()
            for key, _ in self._selector.select(self._orphans.patience(self._tick)):
                key.data()
        return self._status

    @property
    def _tick(self) -> float:
        return TICK_SECONDS if len(self._workers) == self._count or self._stop_at is not None else BACKOFF_SECONDS

    def _keep_up(self) -> None:
        now = time.monotonic()
        while self._stop_at is None and len(self._workers) < self._count and now >= self._start_at:
            self._try_to_start()
        if self._stop_at is not None and now >= self._stop_at + self._stop_seconds:
            for worker in self._workers.values():
                _log.error("a worker does not stop; killed", pid=worker.pid)
                worker.kill()
            self._stop_at = now

    def _try_to_start(self) -> None:
        try:
            self._start()
        except OSError as error:
            _log.error("cannot start a worker; trying again", reason=error.strerror)
            self._start_at = time.monotonic() + RETRY_SECONDS

    def _start(self) -> None:
        worker = start_worker(self._work, self._let_go)
        self._workers[worker.pid] = worker
        self._descent.enrol(worker.pid, _NO_MARK)
        self._selector.register(worker.pidfd, selectors.EVENT_READ, lambda: self._bury(worker))
        self._selector.register(worker.ready, selectors.EVENT_READ, lambda: self._hear(worker))

    def _let_go(self) -> None:
        # In a new worker: it must not hold what tells its siblings of the supervisor's end.
        for sibling in self._workers.values():
            sibling.close()
        self._signals.ignore()
        self._selector.close()

    def _hear(self, worker: Worker) -> None:
        if worker.pid not in self._workers:
            return  # buried a moment ago, in the same round of events
        self._selector.unregister(worker.ready)
        if os.read(worker.ready, 1) and self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _bury(self, worker: Worker) -> None:
        del self._workers[worker.pid]
        _, wait_status = os.waitpid(worker.pid, 0)
        for descriptor in {worker.pidfd, worker.ready} & self._selector.get_map().keys():
            self._selector.unregister(descriptor)
        worker.close()
        self._descent.release(worker.pid)
        status = os.waitstatus_to_exitcode(wait_status)
        if self._stop_at is not None and status == 0:
            return
        self._orphans.begin()
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

    def _heed(self) -> None:
        for name in self._signals.read():
            self._stop(name)

    def _stop(self, reason: str) -> None:
        order = STOP if self._stop_at is None else HURRY
        self._stop_at = self._stop_at or time.monotonic()
        _log.info("stopping", reason=reason, now=order is HURRY)
        for worker in self._workers.values():
            worker.tell(order)
