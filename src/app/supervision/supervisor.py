"""The parent of the workers: owns the listening sockets, restarts workers, kills remaining processes of dead ones.

It does nothing else, so that little can crash it. It sends control commands to a worker through a pipe; end-of-file
means that the supervisor has died. Signals of a terminal or a service manager may reach all processes of the agent;
only the supervisor handles them.
"""

import math
import os
import selectors
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import structlog

from ...adapters.linux.child_signal import block_child_signal
from ...adapters.linux.marks import new_range_start, set_mark
from ...adapters.linux.signal_name import signal_name
from ...adapters.linux.subreaper import become_subreaper
from ..control_pipe import FAILED, KILL, STOP
from ..scoreboard import Scoreboard
from ..shared_slots import Semaphore
from ..stop_signals import CHILD_SIGNAL, UNUSED_SIGNALS, StopSignals
from .orphans import OrphanReaper
from .restarts import Restarts
from .slot_repair import SlotRepair
from .stop_plan import StopPlan
from .worker import Worker, fork_worker

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

READY_SECONDS = 60.0
"""A worker that does not accept connections within this time is killed."""
BACKOFF_TICK_SECONDS = 0.05
TICK_SECONDS = 0.5
Work: TypeAlias = Callable[[int, int], int]


class Supervisor:
    """Runs `work` in forked processes until it is stopped.

    `work` takes the descriptor from which it reads control commands, and one to which it writes READY when it accepts
    connections, or the reason why it cannot. It returns the exit status of its process, 0 after an orderly stop.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        stop_seconds: float,
        scoreboard: Scoreboard | None = None,
        semaphores: Sequence[Semaphore] = (),
    ) -> None:
        """Run `count` workers, each with a row of `scoreboard`; one that does not stop in `stop_seconds` is killed.

        `semaphores` are shared by the workers: what one held is given back when it has died.
        """
        self._slot_repair = SlotRepair(semaphores)
        self._scoreboard = scoreboard or Scoreboard(count)
        self._count = count
        self._work = work
        self._selector = selectors.DefaultSelector()
        self._orphan_reaper = OrphanReaper()
        self._workers: dict[int, Worker] = {}
        self._restarts = Restarts()
        self._plan = StopPlan(stop_seconds)
        self._status = 0
        self.start_failure = ""
        """Why the first worker could not be started, which stops the agent."""

    def run(self, on_ready: Callable[[], None]) -> int:
        """Run until stopped; return the exit status. Calls `on_ready` once, when the first worker is ready."""
        self._on_ready: Callable[[], None] | None = on_ready
        become_subreaper()
        self._signals = StopSignals()
        self._selector.register(self._signals.descriptor, selectors.EVENT_READ, self._on_signals)
        while self._workers or self._orphan_reaper.pending or not self._plan.begun:
            self._maintain()
            self._orphan_reaper.scan()
            for key, _ in self._selector.select(self._orphan_reaper.timeout(self._tick)):
                key.data()
        return self._status

    @property
    def _tick(self) -> float:
        complete = (len(self._workers) == self._count or self._plan.begun) and not self._slot_repair.due
        return TICK_SECONDS if complete else BACKOFF_TICK_SECONDS

    def _maintain(self) -> None:
        now = time.monotonic()
        living = [self._scoreboard.rows[worker.row] for worker in self._workers.values()]
        self._slot_repair.run(living, tasks_are_dead=not self._orphan_reaper.pending)
        while not self._plan.begun and len(self._workers) < self._count and now >= self._restarts.due_at:
            self._try_to_start()
        for worker in self._workers.values():
            if not (worker.accepts or worker.killed) and now >= worker.started_at + READY_SECONDS:
                _log.error("a worker is not ready in time; killed", pid=worker.pid, seconds=READY_SECONDS)
                worker.failure = worker.failure or f"it was not ready within {READY_SECONDS:.0f} s"
                worker.kill()
        if now >= self._plan.kill_at:
            for worker in self._workers.values():
                _log.error("a worker does not stop; killed", pid=worker.pid)
                worker.kill()
            self._plan.kill_at = math.inf

    def _try_to_start(self) -> None:
        try:
            self._start()
        except OSError as error:
            self._start_failed(f"{error.strerror} while starting a process")
        except MemoryError:
            self._start_failed("out of memory")

    def _start(self) -> None:
        row = self._scoreboard.claim()
        try:
            marks = new_range_start({worker.marks for worker in self._workers.values()})
            worker = fork_worker(self._work, lambda: self._after_fork(marks))
        except BaseException:
            self._scoreboard.release(row)
            raise
        worker.row, worker.marks = row, marks
        self._workers[worker.pid] = worker
        self._orphan_reaper.add_worker(worker.pid)
        try:
            self._selector.register(worker.pidfd, selectors.EVENT_READ, lambda: self._on_exit(worker))
            self._selector.register(worker.ready, selectors.EVENT_READ, lambda: self._on_ready_pipe(worker))
        except BaseException:
            # Its exit could not be detected (epoll_ctl(2) failed with ENOMEM or ENOSPC).
            worker.kill()
            self._reap(worker)
            self._orphan_reaper.remove_worker(worker.pid)
            raise

    def _after_fork(self, marks: int) -> None:
        set_mark(marks)
        # Runs in the new worker, before it has a second thread.
        block_child_signal()
        # An open copy of a sibling's control pipe would hide the supervisor's death from that sibling.
        for sibling in self._workers.values():
            sibling.close()
        self._signals.ignore()
        self._selector.close()

    def _on_ready_pipe(self, worker: Worker) -> None:
        if worker.ready not in self._selector.get_map():
            return  # it has been read, or the worker has exited, while the same list of events was handled
        self._selector.unregister(worker.ready)
        worker.read_ready()
        if not worker.accepts:
            return
        self._restarts.accepted()
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _start_failed(self, reason: str) -> None:
        if self._on_ready is None:
            pause = self._restarts.failed()
            _log.error("cannot start a worker; trying again", reason=reason, seconds=pause)
        elif not self._plan.begun:
            # No worker has accepted connections yet: fail visibly instead of retrying.
            self.start_failure = reason
            self._status = FAILED
            self._stop(KILL)

    def _reap(self, worker: Worker) -> tuple[int, tuple[int, int]]:
        """Reap an exited worker and free its resources; return its exit status and its counts of tasks and clients."""
        del self._workers[worker.pid]
        _, wait_status = os.waitpid(worker.pid, 0)
        for descriptor in {worker.pidfd, worker.ready} & self._selector.get_map().keys():
            self._selector.unregister(descriptor)
        worker.close()
        return os.waitstatus_to_exitcode(wait_status), self._scoreboard.release(worker.row)

    def _on_exit(self, worker: Worker) -> None:
        self._on_ready_pipe(worker)
        status, (tasks, clients) = self._reap(worker)
        if self._plan.begun and status == 0:
            self._orphan_reaper.remove_worker(worker.pid)
            return
        self._orphan_reaper.start(worker.pid, worker.marks)
        self._slot_repair.on_death()
        how = f"exit status {status}" if status >= 0 else signal_name(-status)
        if not self._plan.begun and not worker.accepts:
            self._start_failed(worker.failure or f"it ended at its start: {how}")
            return
        if self.start_failure:
            return  # says it already
        again = not self._plan.begun
        _log.error("a worker died", pid=worker.pid, status=status, how=how, tasks=tasks, clients=clients, restart=again)
        if not again:
            self._status = FAILED
            return
        self._restarts.died(worker.started_at, status)
        if self._restarts.given_up:
            self._status = FAILED
            _log.error("giving up: workers exit right after they have started")
            self._stop(STOP)

    def _on_signals(self) -> None:
        for number in self._signals.read():
            if number == CHILD_SIGNAL:
                self._orphan_reaper.reap()
                continue
            if number in UNUSED_SIGNALS:
                _log.info("signal ignored: the agent does not use it", signal=signal_name(number))
                continue
            command = self._plan.command(number)
            if command is not None:
                _log.info("stopping", reason=signal_name(number), now=command == KILL)
                self._stop(command)

    def _stop(self, command: bytes) -> None:
        self._plan.begin(command)
        for worker in self._workers.values():
            worker.send(command)
