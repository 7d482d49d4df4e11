"""How many tasks start in one turn of the event loop: a decorator around a TaskRunner, so that waiting is not stamped.

Starting a process holds the loop up until the new program is there, and on a busy machine for milliseconds. A burst of
a thousand starts in one turn would keep every other client waiting for seconds.
"""

from ..adapters.subprocess.turns import Turns
from ..domain.control import TaskControl
from ..domain.ports import TaskRunner
from ..domain.task import TaskRequest, TaskResult

STARTS_A_TURN = 4


class Pace:
    """A TaskRunner that lets at most STARTS_A_TURN tasks begin before the loop looks after everything else."""

    def __init__(self, runner: TaskRunner) -> None:
        """Wrap `runner`."""
        self._runner = runner
        self._turns = Turns(STARTS_A_TURN)

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Begin in this turn, or in order of arrival in one of the next."""
        await self._turns.next()
        return await self._runner.run(request, control)
