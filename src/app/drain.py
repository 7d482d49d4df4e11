"""How running tasks meet the agent's end: a decorator over a TaskExecutor that stops in two steps."""

import asyncio

from ..domain.outcome import Execution, Refused
from ..domain.output import NO_OUTPUT
from ..domain.ports import Clock, TaskExecutor
from ..domain.task import TaskRequest

STOPPING = Refused("the agent is stopping; nothing was run: send the request again once it is back")
KILLED = Refused("the agent is stopping; the task was killed before it had ended")


class Drain:
    """Runs tasks until it is told to stop; then starts none, gives the running ones time, and kills the rest.

    Both end as `Refused`, a value like every other, so that each request that was accepted is answered.
    """

    def __init__(self, executor: TaskExecutor, clock: Clock) -> None:
        """Wrap `executor`; the clock stamps the tasks that end here."""
        self._executor = executor
        self._clock = clock
        self._stopping = False
        self._running: set[asyncio.Task[object]] = set()
        self._killed: set[asyncio.Task[object]] = set()
        self._kills = 0
        # How many were run in all.
        self.started = 0
        self._idle = asyncio.Event()

    async def execute(self, request: TaskRequest) -> Execution:
        """Run the request unless stopping; a task that is killed by the stop is `Refused`, not cancelled."""
        task = asyncio.current_task()
        if self._stopping or task is None:
            return Execution(STOPPING, NO_OUTPUT, self._clock.monotonic_seconds())
        self._running.add(task)
        self.started += 1
        try:
            return await self._executor.execute(request)
        except asyncio.CancelledError:
            # As asyncio.timeout() does: take back our own request to cancel, and only ours.
            if not self._was_killed(task) or task.uncancel() > 0:
                raise
            return Execution(KILLED, NO_OUTPUT, self._clock.monotonic_seconds())
        finally:
            self._forget(task)

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self._running

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

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        self._killed.discard(task)
        if self._stopping and not self._running:
            self._idle.set()

    def _was_killed(self, task: asyncio.Task[object]) -> bool:
        return task in self._killed

    def kill(self) -> int:
        """Kill what runs, now; return how many tasks that ends."""
        # A task that is being killed is not killed again: a second cancellation would be somebody else's.
        rest = self._running - self._killed
        self._killed |= rest
        self._kills += len(rest)
        for task in rest:
            task.cancel()
        return len(rest)
