"""The use case as inbound adapters see it: a request in, a result out, and whether there is room for more."""

from typing import Protocol

from ..control import TaskControl
from ..task import TaskRequest, TaskResult


class TaskRunner(Protocol):
    """The use case as callers see it: a request in, a result out."""

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Run one task; the caller owns the result's output. Stopping and cancelling mean what TaskExecutor says."""
        ...


class TaskIntake(TaskRunner, Protocol):
    """A TaskRunner that can be full; an inbound adapter reads on only while it has room."""

    @property
    def has_capacity(self) -> bool:
        """Whether another request would be run or queued; one that comes all the same waits its turn too.

        False for everybody else while somebody waits in `room`.
        """
        ...

    async def wait_for_capacity(self) -> None:
        """Return when it is the caller's turn to bring one request; turns come in the order in which callers do."""
        ...
