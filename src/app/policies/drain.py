"""What happens to tasks when the agent stops: a decorator around a TaskExecutor that stops in two steps."""

import asyncio

from ...domain.control import TaskControl
from ...domain.outcome import Execution, Refused
from ...domain.output import NO_OUTPUT
from ...domain.ports.clock import Clock
from ...domain.ports.executor import TaskExecutor
from ...domain.task import TaskRequest
from ..scoreboard import RUNNING, unshared_row

STOPPING = Refused("the agent is stopping; nothing was run: send the request again once it is back")
KILLED = Refused("the agent is stopping; the task was killed before it had ended")


class Drain:
    """Runs tasks until `drain`; then it starts no task, waits for running tasks, and kills those that remain.

    Tasks that are not started or killed end as `Refused`, a value like other outcomes, so that each accepted request
    gets a result.
    """

    def __init__(self, executor: TaskExecutor, clock: Clock, row: memoryview | None = None) -> None:
        """Wrap `executor`; the clock gives the time of tasks that end here, `row` of a Scoreboard gets the counts."""
        self._row = unshared_row() if row is None else row
        self._executor = executor
        self._clock = clock
        self._stopping = False
        self._running: set[TaskControl] = set()
        self._kills = 0
        self._idle = asyncio.Event()

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """Run the request unless stopping; a task that is killed by the stop is `Refused`."""
        if self._stopping:
            return Execution(STOPPING, NO_OUTPUT, self._clock.monotonic_seconds())
        control = control or TaskControl()
        self._running.add(control)
        self._row[RUNNING] += 1
        try:
            return await self._executor.execute(request, control)
        finally:
            self._forget(control)

    def _forget(self, control: TaskControl) -> None:
        self._running.discard(control)
        self._row[RUNNING] -= 1
        if self._stopping and not self._running:
            self._idle.set()

    @property
    def running(self) -> int:
        """The number of running tasks."""
        return len(self._running)

    async def drain(self, seconds: float) -> int:
        """Start no more tasks, wait up to `seconds` for running ones, kill the rest; return how many were killed."""
        self._stopping = True
        if not self._running:
            return 0
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self.kill()
            await self._idle.wait()
        return self._kills

    def kill(self) -> int:
        """Kill running tasks immediately; return how many of them get this as their verdict."""
        to_kill = [control for control in self._running if control.verdict is None]
        self._kills += len(to_kill)
        # Also tasks that were stopped before and are in their grace: this ends it.
        for control in tuple(self._running):
            control.stop(KILLED)
        return len(to_kill)
