"""One running command: what ends it first, and the order in which everything of it is then cleared up."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from ...domain.control import TaskControl
from ...domain.outcome import TimedOut
from .clearing import Clearing, reap, reap_the_last
from .context import Leftovers, ProcessContext
from .graceful import GracefulStop
from .leader import Leader
from .outcomes import outcome_of_output
from .output.capture import Capture
from .persistence import begin
from .result import Result
from .spawn.posix import Spawned

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


class Process:
    """Joins a leader, its output, its deadline and the orders of its `control` into one Execution.

    It ends by itself when the leader has ended and nobody holds its stdout, or `linger` after the leader. Everything
    else goes through `control`: timeout, output that is too much or cannot be kept, orders from outside. One that finds
    the leader ended does not change how the task ended.
    """

    __slots__ = (
        "_capture", "_clearing", "_context", "_control", "_deadline", "_ending", "_graceful", "_linger", "_loop",
        "_mark", "_result", "_start", "_stopped", "ended", "leader",
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
        # Where clearing up takes more than a moment.
        self._clearing: Clearing | None = None
        self._ending: asyncio.Task[None] | None = None
        self._result = Result(loop)
        self.ended = self._result.ended
        on_end, limit = self._on_output_end, context.max_output
        self._capture = Capture(spawned.stdout, context.poller, context.spool, limit, on_end)
        try:
            context.containment.enrol(spawned.pid, spawned.mark)
            context.exit_watcher.follow(self.leader, self._on_exit)
            if timeout is not None:
                self._deadline = self._later(timeout, self._on_deadline)
            control.on_stop = self._on_stop
        except Exception as error:  # noqa: BLE001 -- it runs: from here on its clearing up is our own
            self._fail(error)

    def disown(self) -> None:
        """Kill it, and keep nothing of it: nobody takes what `ended` would return."""
        self._result.disown()
        self.guard(self._kill)

    def _on_output_end(self) -> None:
        try:
            verdict = outcome_of_output(self._capture, self._context.spool.directory)
            if verdict is not None:
                self._control.stop(verdict)
            elif self.leader.has_ended():
                self._on_exit()
            else:
                # It ends any moment now, or it has closed its stdout and lives on.
                self._context.exit_watcher.check_soon(self.leader)
        except Exception as error:  # noqa: BLE001 -- here and below: whoever waits for the end has to hear of it
            self._fail(error)

    def _on_exit(self) -> None:
        try:
            if self._clearing is not None or self._result.over:
                return
            if self._graceful is not None:
                self._graceful.leader_has_ended()
            elif self._capture.ended:
                self._end_by_itself()
            elif self._linger is None:
                self._linger = self._later(self._context.linger, self._end_by_itself)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _on_deadline(self) -> None:
        if not self.leader.has_ended():
            self._control.stop(TimedOut())

    def _on_stop(self, grace: float) -> None:
        """Obey an order; one that finds all of it being killed already has nothing to add."""
        try:
            if self._clearing is not None:
                self._clearing.hurry()
                return
            self._stopped = self._stopped or not self.leader.has_ended()
            if grace <= 0 or not self._stopped:
                self._kill()
            elif self._graceful is None:
                containment, kill = self._context.containment, partial(self.guard, self._kill)
                self._graceful = GracefulStop(self.leader, self._mark, grace, containment, kill)
            else:
                self._graceful.shorten(grace)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _later(self, seconds: float, step: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(min(seconds, MAX_TIMER_SECONDS), self.guard, step)

    def guard(self, step: Callable[[], None]) -> None:
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

    def _end_by_itself(self) -> None:
        if self._clearing is not None or self._result.over:
            return
        context, capture = self._context, self._capture
        quick = capture.ended and capture.idle and context.leftovers is not Leftovers.KILL_ALL
        if quick and reap_the_last(self.leader, context):
            self._finish()
        else:
            self._clear_away(Clearing.see_group_out if capture.ended else Clearing.kill_group)

    def _kill(self) -> None:
        if self._result.over:
            self._result.tell()  # that may be what has failed
        elif self._clearing is None:
            self._clear_away(Clearing.kill_everything)

    def _clear_away(self, how: Callable[[Clearing], Awaitable[None]]) -> None:
        clearing = Clearing(self.leader, self._mark, self._context, self._start)
        self._ending = begin(self._end(clearing, how))
        self._ending.add_done_callback(self._on_cleared)
        self._clearing = clearing

    async def _end(self, clearing: Clearing, how: Callable[[Clearing], Awaitable[None]]) -> None:
        """Clear away what has to go, and take the output that is there."""
        try:
            await how(clearing)
            await self._capture.finish()
            clearing.hand_over_pipe(self._capture)
        except Exception as error:  # noqa: BLE001
            self._result.failure = self._result.failure or error
            await clearing.after_failure(self._capture)
        self._finish()

    def _on_cleared(self, _: asyncio.Task[None]) -> None:
        self._finish()  # unless it could do that itself

    def _finish(self) -> None:
        """Reap, and say how it ended and what it wrote."""
        if self._result.over:
            self._result.tell()
            return
        self._result.over = True
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
                self._context.exit_watcher.forget(self.leader)
            finally:
                if not self.leader.reaped:
                    reap(self.leader, self._context)
        except Exception as error:  # noqa: BLE001
            self._result.failure = self._result.failure or error
        try:
            self._result.conclude(self.leader, self._capture, verdict, self._context)
        except Exception:  # noqa: BLE001 -- not even begun
            self._result.conclude(self.leader, self._capture, verdict, self._context)
