"""How running tasks meet the agent's end: a decorator over a TaskExecutor that stops in two steps."""

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
    """Runs tasks until it is told to stop; then starts none, gives the running ones time, and kills the rest.

    Both end as `Refused`, a value like every other, so that each request that was accepted is answered.
    """

    def __init__(self, executor: TaskExecutor, clock: Clock, row: memoryview | None = None) -> None:
        """Wrap `executor`; the clock stamps the tasks that end here, `row` of a Scoreboard is told how many run."""
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
        """How many tasks run."""
        return len(self._running)

    async def drain(self, seconds: float) -> int:
        """Start nothing more, wait up to `seconds` for what runs, kill the rest; return how many were killed."""
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
        """Kill what runs, now; return how many tasks that ends."""
        rest = [control for control in self._running if control.verdict is None]
        self._kills += len(rest)
        # Also those that have been given a grace by somebody else: it is over now.
        for control in tuple(self._running):
            control.stop(KILLED)
        return len(rest)
