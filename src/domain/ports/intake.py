"""The inbound ports: run a request and return its result, and whether there is capacity for more requests."""

from typing import Protocol

from ..control import TaskControl
from ..task import TaskRequest, TaskResult


class TaskRunner(Protocol):
    """The use case as its callers see it: takes a request, returns a result."""

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Run one task; the caller owns the result's output. `control` and cancelling work as in TaskExecutor."""
        ...


class TaskIntake(TaskRunner, Protocol):
    """A TaskRunner that can be full; an inbound adapter reads more requests only while it has capacity."""

    @property
    def has_capacity(self) -> bool:
        """Whether another request would be run or queued within the limits; `run` queues requests beyond them too.

        False while a caller waits in `wait_for_capacity`.
        """
        ...

    async def wait_for_capacity(self) -> None:
        """Return when the caller may submit one request; callers are served in FIFO order."""
        ...
