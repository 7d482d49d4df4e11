"""How running tasks meet the agent's stop, in two steps: they get time to end, then the rest is killed."""

import asyncio
from collections.abc import Callable

from ...domain.outcome import Refused
from ...domain.ports.executor import TaskExecutor
from ..scoreboard import RUNNING, unshared_row

STOPPING = Refused("the agent is stopping; nothing was run: send the request again once it is back")
KILLED = Refused("the agent is stopping; the task was killed before it had ended")


class Drain:
    """Stops an executor; Admission counts its running tasks here, and stops those that come once it has `begun`.

    A task that the stop ends is `Refused`, an outcome like every other, so that each accepted request gets a result.
    """

    __slots__ = ("_executor", "_idle", "_kills", "begun", "on_begin", "row")

    def __init__(self, executor: TaskExecutor, row: memoryview | None = None) -> None:
        """Count in the column RUNNING of `row`, which is of a Scoreboard."""
        self._executor = executor
        self.row = unshared_row() if row is None else row
        self.begun = False
        # Set by Admission: called when the stop begins.
        self.on_begin: Callable[[], object] | None = None
        self._kills = 0
        self._idle = asyncio.Event()

    @property
    def running(self) -> int:
        """How many tasks run."""
        return self.row[RUNNING]

    def check_idle(self) -> None:
        """End `drain` if nothing runs any more."""
        if not self.row[RUNNING]:
            self._idle.set()

    async def drain(self, seconds: float) -> int:
        """Start nothing more, wait up to `seconds` for what runs, kill the rest; return how many were killed."""
        self.begun = True
        if self.on_begin is not None:
            self.on_begin()
        self.check_idle()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self.kill()
            await self._idle.wait()
        return self._kills

    def kill(self) -> int:
        """Kill what runs, now; return how many tasks that ends."""
        kills = self._executor.stop_all(KILLED)
        self._kills += kills
        return kills
