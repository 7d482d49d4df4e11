"""The ports: what the use case needs of the world, and what the world may ask of the use case."""

from typing import Protocol

from .control import TaskControl
from .outcome import Execution
from .output import CapturedOutput
from .task import TaskRequest, TaskResult


class Clock(Protocol):
    """Where every time stamp comes from, so that tests decide what time it is."""

    def unix_seconds(self) -> float:
        """Wall-clock time, seconds since 1970; may jump."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds since some fixed moment; never goes back, whatever is done to the wall clock."""
        ...


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


class OverflowStore(Protocol):
    """Where bytes go that memory is too short for."""

    async def keep(self, data: bytes) -> CapturedOutput:
        """Keep a copy outside of memory; the caller owns what is returned. Raises OSError where no more can be kept."""
        ...


class TaskRunner(Protocol):
    """The use case as callers see it: a request in, a result out."""

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Run one task; the caller owns the result's output. Stopping and cancelling mean what TaskExecutor says."""
        ...


class TaskIntake(TaskRunner, Protocol):
    """A TaskRunner that can be full; an inbound adapter reads on only while it has room."""

    @property
    def has_room(self) -> bool:
        """Whether a further request would be run or queued; one that comes all the same waits its turn too.

        False for everybody else while somebody waits in `room`.
        """
        ...

    async def room(self) -> None:
        """Return when it is the caller's turn to bring one request; turns come in the order in which callers do."""
        ...
