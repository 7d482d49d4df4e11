"""The outbound port that runs commands."""

from typing import Protocol

from ..control import TaskControl
from ..outcome import Execution, Outcome
from ..task import TaskRequest


class TaskExecutor(Protocol):
    """Runs commands on this machine."""

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """Run the command and return its outcome; every outcome is a value, including a failure to start.

        `timeout_ms` counts from the attempt to start the command, even if starting takes long. The caller owns the
        returned output. Calls run in parallel and are independent of each other.

        `control` ends the task early, also before it has been started. Then the outcome is its verdict, and when this
        returns, no process, descriptor or file of the task remains. A task that had ended by itself keeps its own
        outcome. With a verdict of Refused there is no output.

        When this coroutine is cancelled, nothing of the task may be running, open or on disk once it raises
        CancelledError. Any other exception means a bug in the agent.
        """
        ...

    def stop_all(self, verdict: Outcome) -> int:
        """Stop every task that runs now, as `control.stop(verdict)` does; return how many had no verdict before."""
        ...
