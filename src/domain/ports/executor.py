"""What runs commands: the outbound port."""

from typing import Protocol

from ..control import TaskControl
from ..outcome import Execution
from ..task import TaskRequest


class TaskExecutor(Protocol):
    """Runs commands on this machine."""

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """Run the command and say how it ended; every way of ending, failure to start included, is a value.

        `timeout_ms` counts from the attempt to start it, however long that takes. The caller owns the output that is
        returned.
        Calls run in parallel and do not know each other. `control` ends the task early, also before it has been
        started; then the outcome is its verdict, and nothing of the task is left when this returns. A task that had
        ended by itself keeps its own outcome. With a verdict of Refused there is no output.

        Cancelling this coroutine must leave nothing of the task running, open or on disk when CancelledError comes
        out. Any other exception means that the agent is broken.
        """
        ...
