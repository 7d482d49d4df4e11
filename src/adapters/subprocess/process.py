"""One running command: what ends it first, and the order in which it is then brought to rest."""

import asyncio
import signal
from dataclasses import dataclass
from enum import Enum

from ...domain.outcome import Cancelled, Exited, Outcome, OutputLimitExceeded, Refused, Signalled, TimedOut
from ...domain.output import NO_OUTPUT, CapturedOutput
from ...domain.ports import Clock
from .capture import Capture
from .containment import Containment
from .leader import Exits, Leader
from .spawn import Spawned
from .spool import Spool
from .watch import Watch

MAX_TIMER_SECONDS = 30 * 365 * 24 * 3600.0


class Leftovers(Enum):
    """What becomes of processes that a command leaves behind when it has ended by itself."""

    KEEP = "keep"
    """Nothing is killed."""
    KILL = "kill"
    """Its process group is killed; what has left that on purpose, a daemon, stays."""
    KILL_ALL = "kill-all"
    """Daemons are killed too, then and at the agent's stop."""


@dataclass(frozen=True, slots=True)
class Handling:
    """What all processes share; `linger` is seconds, `max_output` bytes of one task (None: no limit)."""

    clock: Clock
    containment: Containment
    leftovers: Leftovers
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

    __slots__ = ("_capture", "_deadline", "_handling", "_linger", "_loop", "_mark", "leader", "over")

    def __init__(self, spawned: Spawned, timeout: float | None, handling: Handling) -> None:
        """Take charge of what was spawned; `timeout` in seconds. Raises OSError, having taken nothing."""
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[Outcome | None] = loop.create_future()
        self.leader = Leader(spawned.pid, handling.clock)
        self._handling = handling
        self._loop = loop
        self._mark = spawned.mark
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._capture = Capture(
            spawned.stdout, handling.watch, handling.spool, handling.max_output, self._on_output_end
        )
        handling.containment.enrol(spawned.pid, spawned.mark)
        handling.exits.follow(self.leader, self._on_exit)
        if timeout is not None:
            self._deadline = loop.call_later(min(timeout, MAX_TIMER_SECONDS), self._on_deadline)

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing for `end` to do."""
        return (
            self._ended_by_itself
            and self._capture.ended
            and self._capture.at_rest
            and self._handling.leftovers is not Leftovers.KILL_ALL
        )

    @property
    def _ended_by_itself(self) -> bool:
        return self.over.done() and not self.over.cancelled() and self.over.result() is None

    async def end(self) -> None:
        """Kill what has to go, see it dead, take the output that is there; what is left is to `collect`."""
        self._stop_timers()
        if not self._ended_by_itself or self._handling.leftovers is Leftovers.KILL_ALL:
            await self._handling.containment.turn()
            self.leader.kill_group()
            await self._handling.containment.end(self._mark)
        elif self._handling.leftovers is Leftovers.KILL:
            self.leader.kill_group()
        await self._capture.finish()

    def collect(self) -> tuple[Outcome, CapturedOutput]:
        """Reap, and return how it ended and what it wrote; once, after `end` unless at rest."""
        self._stop_timers()
        self._handling.exits.forget(self.leader)
        status = self._reap()
        outcome = self._outcome(status)
        output = self._capture.collect()
        if isinstance(outcome, Refused):
            output.close()
            output = NO_OUTPUT
        return outcome, output

    def _reap(self) -> int:
        containment = self._handling.containment
        if not self.leader.has_ended():
            # It could not be killed. Whenever it ends, it is reaped like what was adopted.
            containment.abandoned(self.leader.pid)
            return 0
        if self._handling.leftovers is not Leftovers.KEEP:
            # Before the reaping, while the group is surely ours.
            self.leader.kill_group()
        status = self.leader.reap()
        containment.released(self.leader.pid)
        return status

    def _outcome(self, status: int) -> Outcome:
        verdict = Cancelled() if self.over.cancelled() else self.over.result()
        if verdict is not None:
            return verdict
        if status < 0:
            return self._verdict_on_output() or Signalled(-status, signal_name(-status))
        return self._verdict_on_output() or Exited(status)

    def _on_output_end(self) -> None:
        verdict = self._verdict_on_output()
        if verdict is not None or self.leader.has_ended():
            self._decide(verdict)
        else:
            # It ends any moment now, or it has closed its stdout and lives on.
            self._handling.exits.hasten(self.leader)

    def _on_exit(self) -> None:
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


def signal_name(number: int) -> str:
    """Return a signal's name as signal(7) has it; what has none of its own counts from the first real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+d}"
