"""One running command: what ends it first, and the order in which everything of it is then cleared up."""

import asyncio
import signal

from ...domain.control import TaskControl
from ...domain.outcome import Execution, Exited, Outcome, OutputLimitExceeded, OutputLost, Refused, Signalled, TimedOut
from ...domain.output import NO_OUTPUT
from .capture import Capture
from .graceful import GracefulStop
from .handling import Handling, Leftovers
from .leader import Leader, signal_name
from .spawn import Spawned

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


class Process:
    """Joins a leader, its output, its deadline and the orders of its `control` into one Execution.

    It ends by itself when the leader has ended and nobody holds its stdout, or `linger` after the leader. Everything
    else goes through `control`: timeout, output that is too much or cannot be kept, orders from outside. One that finds
    the leader ended does not change how the task ended.
    """

    __slots__ = (
        "_capture",
        "_control",
        "_deadline",
        "_ended",
        "_ending",
        "_execution",
        "_failure",
        "_graceful",
        "_handling",
        "_linger",
        "_loop",
        "_mark",
        "_start",
        "_stopped",
        "leader",
    )

    def __init__(self, spawned: Spawned, timeout: float | None, control: TaskControl, handling: Handling) -> None:
        """Take charge of what was spawned; `timeout` in seconds. Raises OSError, having taken nothing."""
        loop = asyncio.get_running_loop()
        self.leader = Leader(spawned.pid, handling.clock)
        self._control = control
        self._handling = handling
        self._loop = loop
        self._mark = spawned.mark
        self._start = spawned.start  # knows whether it was executed
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        # The group has been asked to end.
        self._graceful: GracefulStop | None = None
        # An order came while the leader lived: how it ends from here on is not its own doing.
        self._stopped = False
        # Clears up, where that takes more than a moment.
        self._ending: asyncio.Task[None] | None = None
        self._execution: Execution | None = None
        self._failure: Exception | None = None
        self._ended: asyncio.Future[None] | None = None
        self._capture = Capture(
            spawned.stdout, handling.watch, handling.spool, handling.max_output, self._on_output_end
        )
        handling.containment.enrol(spawned.pid, spawned.mark)
        handling.exits.follow(self.leader, self._on_exit)
        if timeout is not None:
            self._deadline = loop.call_later(min(timeout, MAX_TIMER_SECONDS), self._on_deadline)
        control.on_stop = self._on_stop

    async def ended(self) -> Execution:
        """Return how it ended, once nothing of it is left. Cancelling ends the waiting and nothing else."""
        if self._execution is None and self._failure is None:
            self._ended = self._loop.create_future()
            await self._ended
        if self._execution is None:
            raise self._failure or AssertionError
        return self._execution

    def _on_output_end(self) -> None:
        verdict = self._verdict_on_output()
        if verdict is not None:
            self._control.stop(verdict)
        elif self.leader.has_ended():
            self._on_exit()
        else:
            # It ends any moment now, or it has closed its stdout and lives on.
            self._handling.exits.hasten(self.leader)

    def _on_exit(self) -> None:
        if self._graceful is not None:
            if self._ending is None:
                self._graceful.leader_has_ended()
        elif self._capture.ended:
            self._end_by_itself()
        elif self._linger is None and self._ending is None:
            self._linger = self._loop.call_later(self._handling.linger, self._end_by_itself)

    def _on_deadline(self) -> None:
        if not self.leader.has_ended():
            self._control.stop(TimedOut())

    def _on_stop(self, grace: float) -> None:
        """Obey an order; one that finds the task being killed already has nothing to add."""
        if self._ending is not None:
            return
        self._stopped = self._stopped or not self.leader.has_ended()
        if grace <= 0 or not self._stopped:
            self._kill()
        elif self._graceful is None:
            grace = min(grace, MAX_TIMER_SECONDS)
            self._graceful = GracefulStop(self.leader, grace, self._handling.containment, self._kill)
        else:
            self._graceful.shorten(grace)

    def _end_by_itself(self) -> None:
        if self._ending is not None or self._execution is not None:
            return
        everything = self._handling.leftovers is Leftovers.KILL_ALL
        if self._capture.ended and self._capture.at_rest and not everything:
            self._finish()
        else:
            self._ending = self._loop.create_task(self._end(everything=everything))

    def _kill(self) -> None:
        if self._ending is None:
            self._ending = self._loop.create_task(self._end(everything=True))

    async def _end(self, *, everything: bool) -> None:
        """Kill what has to go, see it dead, take the output that is there; then it has ended."""
        self._stop_timers()
        try:
            if everything:
                await self._handling.containment.turn()
                self._handling.containment.expect_end(self.leader.pid, self._mark)
                self.leader.signal_group(signal.SIGKILL)
                if self._start is None or not await self._start.was_killed_before(self.leader.has_ended):
                    await self._handling.containment.end(self._mark)
            elif self._handling.leftovers is Leftovers.KILL:
                self.leader.signal_group(signal.SIGKILL)
            await self._capture.finish()
            pipe = None if everything else self._capture.release_pipe()
            if pipe is not None:
                # Whoever holds it is meant to live, or dies in a moment.
                self._handling.discarder.add(pipe)
        except Exception as error:  # noqa: BLE001 -- whoever waits for the end has to hear of it
            self._failure = error
        self._finish()

    def _finish(self) -> None:
        """Reap, and say how it ended and what it wrote."""
        self._stop_timers()
        self._control.on_stop = None
        self._handling.exits.forget(self.leader)
        try:
            outcome = self._outcome(self._reap())
            output = self._capture.collect()
            if isinstance(outcome, Refused | OutputLost):
                output.close()
                output = NO_OUTPUT
            ended_at = self.leader.ended_at or self._handling.clock.monotonic_seconds()
            self._execution = Execution(outcome, output, ended_at)
        except Exception as error:  # noqa: BLE001 -- as above
            self._failure = error
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _reap(self) -> int:
        containment = self._handling.containment
        if not self.leader.has_ended():
            # It could not be killed. Whenever it ends, it is reaped like what was adopted.
            containment.abandoned(self.leader.pid)
            return 0
        if self._handling.leftovers is not Leftovers.KEEP:
            # Before the reaping, while the group is surely ours.
            self.leader.signal_group(signal.SIGKILL)
        status = self.leader.reap()
        containment.released(self.leader.pid)
        return status

    def _outcome(self, status: int) -> Outcome:
        failure = None if self._start is None else self._start.finish()
        if self._stopped and self._control.verdict is not None:
            return self._control.verdict
        if failure is not None:
            return failure
        if status < 0:
            return self._verdict_on_output() or Signalled(-status, signal_name(-status))
        return self._verdict_on_output() or Exited(status)

    def _verdict_on_output(self) -> Outcome | None:
        failure = self._capture.failure
        if failure is not None:
            return OutputLost(
                f"the command ran, but its output could not be kept in {self._handling.spool.directory}: "
                f"{failure.strerror}"
            )
        return OutputLimitExceeded() if self._capture.overflowed else None

    def _stop_timers(self) -> None:
        for timer in (self._linger, self._deadline, self._graceful):
            if timer is not None:
                timer.cancel()
