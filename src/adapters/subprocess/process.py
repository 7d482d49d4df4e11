"""One running command: what ends it first, and the order in which it is then brought to rest."""

import asyncio
import signal
from dataclasses import dataclass

from ...domain.outcome import Exited, Outcome, OutputLimitExceeded, Refused, Signalled, TimedOut
from ...domain.output import NO_OUTPUT, CapturedOutput
from ...domain.ports import Clock
from .capture import Capture
from .leader import Exits, Leader
from .spawn import Spawned
from .spool import Spool
from .watch import Watch

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Handling:
    """What all processes share; `linger` is seconds, `max_output` bytes of one task (None: no limit)."""

    clock: Clock
    watch: Watch
    exits: Exits
    spool: Spool
    linger: float
    max_output: int | None


class Process:
    """Joins a leader, its output and its deadline into one future, `over`, and clears up after it.

    `over` is done when the leader has ended and nobody holds its stdout, or `linger` after the leader has ended, or
    at the deadline, or when the output cannot be kept. Its value is the verdict where that is the agent's, else None.
    """

    __slots__ = ("_capture", "_deadline", "_exit", "_handling", "_linger", "_loop", "leader", "over")

    def __init__(self, spawned: Spawned, timeout: float | None, handling: Handling) -> None:
        """Take charge of what was spawned; `timeout` in seconds. Raises OSError, having taken nothing."""
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[Outcome | None] = loop.create_future()
        self.leader = Leader(spawned.pid, handling.clock)
        self._handling = handling
        self._loop = loop
        # Exists while `end` waits for the leader.
        self._exit: asyncio.Future[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._capture = Capture(
            spawned.stdout, handling.watch, handling.spool, handling.max_output, self._on_output_end
        )
        handling.exits.follow(self.leader, self._on_exit)
        if timeout is not None:
            self._deadline = loop.call_later(min(timeout, MAX_TIMER_SECONDS), self._on_deadline)

    @property
    def at_rest(self) -> bool:
        """Whether `end` would wait for nothing."""
        return self.leader.ended_at is not None and self._capture.ended and self._capture.at_rest

    async def end(self) -> None:
        """Kill the group, see the leader dead, take the output that is there; what is left is to `collect`."""
        self._stop_timers()
        self.leader.kill_group()
        if not self.leader.has_ended():
            self._exit = self._loop.create_future()
            self._handling.exits.hasten(self.leader)
            await self._exit
        await self._capture.finish()

    def collect(self) -> tuple[Outcome, CapturedOutput]:
        """Clear away what remains of the group, reap, and return how it ended and what it wrote; once, at rest."""
        self._stop_timers()
        self._handling.exits.forget(self.leader)
        # Background processes of a leader that ended well; before the reaping, while the group is surely ours.
        self.leader.kill_group()
        status = self.leader.reap()
        output = self._capture.collect()
        outcome = self.over.result() if self.over.done() and not self.over.cancelled() else None
        if outcome is None:
            outcome = self._verdict_on_output() or _outcome_of(status)
        if isinstance(outcome, Refused):
            output.close()
            output = NO_OUTPUT
        return outcome, output

    def _on_output_end(self) -> None:
        verdict = self._verdict_on_output()
        if verdict is not None or self.leader.has_ended():
            self._decide(verdict)
        else:
            # It ends any moment now, or it has closed its stdout and lives on.
            self._handling.exits.hasten(self.leader)

    def _on_exit(self) -> None:
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(None)
        if self._capture.ended:
            self._decide(None)
        elif self._linger is None and not self.over.done():
            self._linger = self._loop.call_later(self._handling.linger, self._decide, None)

    def _on_deadline(self) -> None:
        if not self.leader.has_ended():
            self._decide(TimedOut())

    def _decide(self, verdict: Outcome | None) -> None:
        if not self.over.done():
            self.over.set_result(verdict)

    def _verdict_on_output(self) -> Outcome | None:
        failure = self._capture.failure
        if failure is not None:
            return Refused(f"the output could not be kept in {self._handling.spool.directory}: {failure.strerror}")
        return OutputLimitExceeded() if self._capture.overflowed else None

    def _stop_timers(self) -> None:
        for timer in (self._linger, self._deadline):
            if timer is not None:
                timer.cancel()


def _outcome_of(status: int) -> Outcome:
    if status >= 0:
        return Exited(status)
    return Signalled(-status, signal_name(-status))


def signal_name(number: int) -> str:
    """Return a signal's name as signal(7) has it; real-time signals but the first and the last count from the first."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
