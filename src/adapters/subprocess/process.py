"""One running command: which event ends it first, and the order in which all of it is then cleaned up."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from ...domain.control import TaskControl
from ...domain.outcome import TimedOut
from .child_process import ChildProcess
from .cleanup import Cleanup, reap_or_disown
from .context import Leftovers, ProcessContext
from .graceful import GracefulStop
from .outcomes import execution_of, outcome_of_output
from .output.capture import Capture
from .result import Result
from .retry import start_background
from .spawn.posix import Spawned
from .wakeup import wake

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


class Process(ChildProcess):
    """Joins a child, its output, its deadline and the calls of its `control` into one Execution.

    It ends by itself when the child has ended, no process holds its stdout and its group is empty, or `linger` after
    the child; then `leftovers` applies. Everything else goes through `control`: a timeout, output that exceeds a limit
    or cannot be kept, stops by callers. A stop that comes after the child's end does not change how the task has ended.
    """

    # As in ChildProcess: what most tasks never change.
    _linger_timer: asyncio.TimerHandle | None = None
    _deadline_timer: asyncio.TimerHandle | None = None
    _graceful: GracefulStop | None = None
    """The process group has got SIGTERM."""
    _stopped = False
    """It was stopped while the child lived: the control's verdict is its outcome."""
    _cleanup: Cleanup | None = None
    """Where cleaning up takes more than a moment."""
    _cleanup_task: asyncio.Task[None] | None = None

    def __init__(self, spawned: Spawned, timeout: float | None, control: TaskControl, context: ProcessContext) -> None:
        """Take charge of what was spawned; `timeout` in seconds. Raises OSError, having taken nothing."""
        # As ChildProcess.__init__, inlined: this runs for every task.
        self.pid = spawned.pid
        self.clock = context.clock
        loop = context.loop
        self._control = control
        self._context = context
        self._loop = loop
        self._mark = spawned.mark
        self._start = spawned.start  # knows whether the program was executed
        self.result = Result(loop.create_future())
        self._capture = Capture(spawned.stdout, context.poller, context.spool, context.max_output, self._on_eof)
        try:
            context.containment.track(spawned.pid, spawned.mark)
            context.exit_watcher.watch(self, self._on_exit)
            if timeout is not None:
                self._deadline_timer = self._call_later(timeout, self._on_deadline)
            control.on_stop = self._on_stop
        except Exception as error:  # noqa: BLE001 -- it runs: from here on it has to be cleaned up here
            self._fail(error)

    def disown(self) -> None:
        """Kill it, and keep nothing of it: its result has no waiter."""
        self.result.abandon()
        self.run_step(self._kill)

    def _on_eof(self) -> None:
        try:
            capture = self._capture
            if capture.is_cut and (verdict := outcome_of_output(capture, self._context.spool.directory)) is not None:
                self._control.stop(verdict)
            elif self.has_ended():
                self._on_exit()
            else:
                # It ends any moment now, or it has closed its stdout and lives on.
                self._context.exit_watcher.watch_now(self)
        except Exception as error:  # noqa: BLE001 -- here and below: the waiter of the result has to get one
            self._fail(error)

    def _on_exit(self) -> None:
        try:
            if self._cleanup is not None or self.result.complete:
                return
            if self._graceful is not None:
                self._graceful.leader_has_ended()
            elif not self._capture.ended:
                if self._linger_timer is None:
                    self._linger_timer = self._call_later(self._context.linger, self._on_linger)
            elif self._capture.is_spooled or self._context.leftovers is Leftovers.KILL_ALL:
                self._start_cleanup(Cleanup.wait_for_group)
            else:
                # As `reap_leader`, inlined.
                self.reap()
                self._context.containment.untrack(self.pid)
                if self._context.leftovers is Leftovers.KEEP or self.group_is_gone():
                    self._finish()
                else:
                    self._start_cleanup(Cleanup.wait_for_group)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _on_linger(self) -> None:
        if self._cleanup is None and not self.result.complete:
            self._start_cleanup(Cleanup.wait_for_group if self._capture.ended else Cleanup.kill_group)

    def _on_deadline(self) -> None:
        if not self.has_ended():
            self._control.stop(TimedOut())

    def _on_stop(self, grace: float) -> None:
        """Stop it, as TaskControl says, unless all of it is being killed already."""
        try:
            if self._cleanup is not None:
                self._cleanup.kill_now()
                return
            self._stopped = self._stopped or not self.has_ended()
            if grace <= 0 or not self._stopped:
                self._kill()
            elif self._graceful is None:
                containment, kill = self._context.containment, partial(self.run_step, self._kill)
                self._graceful = GracefulStop(self, self._mark, grace, containment, kill)
            else:
                self._graceful.shorten(grace)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _call_later(self, seconds: float, step: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(min(seconds, MAX_TIMER_SECONDS), self.run_step, step)

    def run_step(self, step: Callable[[], None]) -> None:
        """Run a step; if it fails, the task ends."""
        try:
            step()
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the task after an error of the agent's own: kill all of it, and set the result."""
        self.result.failure = self.result.failure or error
        try:
            self._kill()
        except Exception:  # noqa: BLE001 -- cleaning up cannot be started: do what can be done in this moment
            self.signal_group(signal.SIGKILL)
            self._finish()

    def _kill(self) -> None:
        if self.result.complete:
            self.result.wake()  # that may be what has failed
        elif self._cleanup is None:
            self._start_cleanup(Cleanup.kill_task)

    def _start_cleanup(self, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        cleanup = Cleanup(self, self._mark, self._context, self._start)
        self._cleanup_task = start_background(self._clean_up(cleanup, how))
        self._cleanup_task.add_done_callback(self._on_cleaned_up)
        self._cleanup = cleanup

    async def _clean_up(self, cleanup: Cleanup, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        """Kill what has to be killed, and take the output that is there."""
        try:
            await how(cleanup)
            await self._capture.drain()
            cleanup.hand_over_pipe(self._capture)
        except Exception as error:  # noqa: BLE001
            self.result.failure = self.result.failure or error
            await cleanup.after_failure(self._capture)
        self._finish()

    def _on_cleaned_up(self, _: asyncio.Task[None]) -> None:
        self._finish()  # unless it could do that itself

    def _cancel_timers(self) -> None:
        for timer in (self._linger_timer, self._deadline_timer, self._graceful):
            if timer is not None:
                timer.cancel()

    def _finish(self) -> None:
        """Reap the child, and set the result."""
        result = self.result
        if result.complete:
            result.wake()
            return
        result.complete = True
        self._control.on_stop = None
        verdict = self._control.verdict if self._stopped else None
        try:
            try:
                if self._start is not None:
                    not_started = self._start.finish()
                    verdict = verdict or not_started
                if self._linger_timer or self._deadline_timer or self._graceful:
                    self._cancel_timers()
                self.on_exit = None
                if self.pidfd >= 0:
                    self._context.exit_watcher.unwatch(self)
            finally:
                if not self.reaped:
                    reap_or_disown(self, self._context)
        except Exception as error:  # noqa: BLE001
            result.failure = result.failure or error
        try:
            result.execution = execution_of(self, self._capture, verdict, result.failure, self._context)
        except Exception as error:  # noqa: BLE001 -- a result with less in it needs less memory
            result.failure = result.failure or error
            with contextlib.suppress(Exception):
                result.execution = execution_of(self, self._capture, verdict, result.failure, self._context)
        if result.abandoned and result.execution is not None:
            result.execution.output.close()
        try:
            wake(result.ended, None)
        except MemoryError:
            wake(result.ended, None)
        # They refer to this object: a cycle, which would keep it until the next garbage collection.
        self._cleanup = self._graceful = None
