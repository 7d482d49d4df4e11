"""One running command: what ends it first, and in which order its processes and its output are then cleaned up."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from ...domain.control import TaskControl
from ...domain.outcome import TimedOut
from .cleanup import Cleanup, reap_leader, reap_or_disown
from .context import Leftovers, ProcessContext
from .graceful import GracefulStop
from .leader import Leader
from .outcomes import outcome_of_output
from .output.capture import Capture
from .result import Result
from .retry import start_task
from .spawn.posix import Spawned

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


class Process:
    """Combines a leader, its output, its deadline and the stops of its `control` into one Execution.

    It ends by itself when the leader has ended and no process holds its stdout, or `linger` after the leader. All other
    ends go through `control`: timeouts, output that exceeds the limit or cannot be kept, stops by other parts of the
    agent. A stop that comes after the leader has ended does not change the outcome.
    """

    __slots__ = (
        "_capture", "_cleanup", "_cleanup_task", "_context", "_control", "_deadline", "_graceful", "_linger",
        "_loop", "_mark", "_result", "_start", "_stopped", "leader", "wait",
    )  # fmt: skip

    def __init__(self, spawned: Spawned, timeout: float | None, control: TaskControl, context: ProcessContext) -> None:
        """Own `spawned`; `timeout` is in seconds. If this raises OSError, `spawned` is still the caller's."""
        loop = asyncio.get_running_loop()
        self.leader = Leader(spawned.pid, context.clock)
        self._control = control
        self._context = context
        self._loop = loop
        self._mark = spawned.mark
        self._start = spawned.start  # its reports say whether the program was executed
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        # Set once the group has been sent SIGTERM.
        self._graceful: GracefulStop | None = None
        # Whether a stop came while the leader lived: it decides the outcome then.
        self._stopped = False
        # Set if cleanup cannot finish within one callback.
        self._cleanup: Cleanup | None = None
        self._cleanup_task: asyncio.Task[None] | None = None
        self._result = Result(loop)
        self.wait = self._result.wait
        on_end, limit = self._on_eof, context.max_output
        self._capture = Capture(spawned.stdout, context.poller, context.spool, limit, on_end)
        try:
            context.containment.track(spawned.pid, spawned.mark)
            context.exit_watcher.watch(self.leader, self._on_exit)
            if timeout is not None:
                self._deadline = self._call_later(timeout, self._on_deadline)
            control.on_stop = self._on_stop
        except Exception as error:  # noqa: BLE001 -- the command runs: from here on this object has to clean up
            self._fail(error)

    def disown(self) -> None:
        """Kill the task and discard its output: no caller will take what `wait` returns."""
        self._result.disown()
        self.run_step(self._kill)

    def _on_eof(self) -> None:
        try:
            verdict = outcome_of_output(self._capture, self._context.spool.directory)
            if verdict is not None:
                self._control.stop(verdict)
            elif self.leader.has_ended():
                self._on_exit()
            else:
                # It is about to end, or it has closed its stdout and continues.
                self._context.exit_watcher.watch_now(self.leader)
        except Exception as error:  # noqa: BLE001 -- here and below: the caller of `wait` must get a result
            self._fail(error)

    def _on_exit(self) -> None:
        try:
            if self._cleanup is not None or self._result.complete:
                return
            if self._graceful is not None:
                self._graceful.leader_has_ended()
            elif self._capture.ended:
                self._on_normal_end()
            elif self._linger is None:
                self._linger = self._call_later(self._context.linger, self._on_normal_end)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _on_deadline(self) -> None:
        if not self.leader.has_ended():
            self._control.stop(TimedOut())

    def _on_stop(self, grace: float) -> None:
        """Stop the task; a cleanup that has begun continues without further waiting."""
        try:
            if self._cleanup is not None:
                self._cleanup.kill_now()
                return
            self._stopped = self._stopped or not self.leader.has_ended()
            if grace <= 0 or not self._stopped:
                self._kill()
            elif self._graceful is None:
                containment, kill = self._context.containment, partial(self.run_step, self._kill)
                self._graceful = GracefulStop(self.leader, self._mark, grace, containment, kill)
            else:
                self._graceful.shorten(grace)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _call_later(self, seconds: float, step: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(min(seconds, MAX_TIMER_SECONDS), self.run_step, step)

    def run_step(self, step: Callable[[], None]) -> None:
        """Run a callback; if it raises, fail the task."""
        try:
            step()
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the task because of an error in the agent: kill all of it and complete the result."""
        self._result.failure = self._result.failure or error
        try:
            self._kill()
        except Exception:  # noqa: BLE001 -- cleanup cannot even begin: do what is possible at once
            self.leader.signal_group(signal.SIGKILL)
            self._finish()

    def _on_normal_end(self) -> None:
        if self._cleanup is not None or self._result.complete:
            return
        context, capture = self._context, self._capture
        quick = capture.ended and capture.idle and context.leftovers is not Leftovers.KILL_ALL
        if quick and reap_leader(self.leader, context):
            self._finish()
        else:
            self._start_cleanup(Cleanup.wait_for_group if capture.ended else Cleanup.kill_group)

    def _kill(self) -> None:
        if self._result.complete:
            self._result.wake()  # the earlier wake-up may be what has failed
        elif self._cleanup is None:
            self._start_cleanup(Cleanup.kill_task)

    def _start_cleanup(self, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        cleanup = Cleanup(self.leader, self._mark, self._context, self._start)
        self._cleanup_task = start_task(self._clean_up(cleanup, how))
        self._cleanup_task.add_done_callback(self._on_cleaned_up)
        self._cleanup = cleanup

    async def _clean_up(self, cleanup: Cleanup, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        """Kill what must not stay, and read the remaining output."""
        try:
            await how(cleanup)
            await self._capture.drain()
            cleanup.hand_over_pipe(self._capture)
        except Exception as error:  # noqa: BLE001
            self._result.failure = self._result.failure or error
            await cleanup.after_failure(self._capture)
        self._finish()

    def _on_cleaned_up(self, _: asyncio.Task[None]) -> None:
        self._finish()  # in case that `_clean_up` has failed before it could

    def _finish(self) -> None:
        """Reap the leader and complete the result with outcome and output."""
        if self._result.complete:
            self._result.wake()
            return
        self._result.complete = True
        self._control.on_stop = None
        verdict = self._control.verdict if self._stopped else None
        try:
            try:
                if self._start is not None:
                    not_started = self._start.finish()
                    verdict = verdict or not_started
                for timer in (self._linger, self._deadline, self._graceful):
                    if timer is not None:
                        timer.cancel()
                self._context.exit_watcher.unwatch(self.leader)
            finally:
                if not self.leader.reaped:
                    reap_or_disown(self.leader, self._context)
        except Exception as error:  # noqa: BLE001
            self._result.failure = self._result.failure or error
        try:
            self._result.conclude(self.leader, self._capture, verdict, self._context)
        except Exception:  # noqa: BLE001 -- the call itself has failed, before its first statement
            self._result.conclude(self.leader, self._capture, verdict, self._context)
