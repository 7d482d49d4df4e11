"""One running command: what ends it first, and the order in which everything of it is then cleared up."""

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
    """Joins a leader, its output, its deadline and the orders of its `control` into one Execution.

    It ends by itself when the leader has ended and nobody holds its stdout, or `linger` after the leader. Everything
    else goes through `control`: timeout, output that is too much or cannot be kept, orders from outside. One that finds
    the leader ended does not change how the task ended.
    """

    __slots__ = (
        "_capture",
        "_cleanup",
        "_cleanup_task",
        "_context",
        "_control",
        "_deadline",
        "_graceful",
        "_linger",
        "_loop",
        "_mark",
        "_result",
        "_start",
        "_stopped",
        "leader",
        "wait",
    )  # fmt: skip

    def __init__(self, spawned: Spawned, timeout: float | None, control: TaskControl, context: ProcessContext) -> None:
        """Take charge of what was spawned; `timeout` in seconds. Raises OSError, having taken nothing."""
        loop = asyncio.get_running_loop()
        self.leader = Leader(spawned.pid, context.clock)
        self._control = control
        self._context = context
        self._loop = loop
        self._mark = spawned.mark
        self._start = spawned.start  # knows whether it was executed
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        # The group has been asked to end.
        self._graceful: GracefulStop | None = None
        # An order came while the leader lived: how it ends from here on is not its own doing.
        self._stopped = False
        # Where cleanup up takes more than a moment.
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
        except Exception as error:  # noqa: BLE001 -- it runs: from here on its cleanup up is our own
            self._fail(error)

    def disown(self) -> None:
        """Kill it, and keep nothing of it: nobody takes what `ended` would return."""
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
                # It ends any moment now, or it has closed its stdout and lives on.
                self._context.exit_watcher.watch_now(self.leader)
        except Exception as error:  # noqa: BLE001 -- here and below: whoever waits for the end has to hear of it
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
        """Obey an order; one that finds all of it being killed already has nothing to add."""
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
        """Take a step; one that fails ends the task."""
        try:
            step()
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the task by a failure of the agent's own: all of it goes, and whoever waits is told."""
        self._result.failure = self._result.failure or error
        try:
            self._kill()
        except Exception:  # noqa: BLE001 -- not even that: what can be done in this moment is done
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
            self._result.wake()  # that may be what has failed
        elif self._cleanup is None:
            self._start_cleanup(Cleanup.kill_task)

    def _start_cleanup(self, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        cleanup = Cleanup(self.leader, self._mark, self._context, self._start)
        self._cleanup_task = start_task(self._clean_up(cleanup, how))
        self._cleanup_task.add_done_callback(self._on_cleaned_up)
        self._cleanup = cleanup

    async def _clean_up(self, cleanup: Cleanup, how: Callable[[Cleanup], Awaitable[None]]) -> None:
        """Clear away what has to go, and take the output that is there."""
        try:
            await how(cleanup)
            await self._capture.drain()
            cleanup.hand_over_pipe(self._capture)
        except Exception as error:  # noqa: BLE001
            self._result.failure = self._result.failure or error
            await cleanup.after_failure(self._capture)
        self._finish()

    def _on_cleaned_up(self, _: asyncio.Task[None]) -> None:
        self._finish()  # unless it could do that itself

    def _finish(self) -> None:
        """Reap, and say how it ended and what it wrote."""
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
        except Exception:  # noqa: BLE001 -- not even begun
            self._result.conclude(self.leader, self._capture, verdict, self._context)
