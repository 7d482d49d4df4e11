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
        returns, no process, descriptor or file of the task remains. There are two exceptions: a process that SIGKILL
        does not end within 2 s (it is logged, and attempts to kill it continue), and a process that is stuck before it
        executes the program (it executes nothing when it continues). A task that had ended by itself keeps its own
        outcome. With Refused or ResultLost there is no output.

        When this coroutine is cancelled, the same holds once it raises CancelledError: nothing of the task is running,
        open or on disk. Any other exception means a bug in the agent, or that there was no memory even for a result.
        """
        ...

    def stop_all(self, verdict: Outcome) -> int:
        """Stop every task that runs now, as `control.stop(verdict)` does; return how many had no verdict before."""
        ...
