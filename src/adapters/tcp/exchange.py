"""One request of a client and what comes of it."""

import asyncio
from dataclasses import dataclass, field

from ...domain.control import TaskControl
from ...domain.task import TaskResult
from ...protocol.requests import RequestId
from .answer import Answer


@dataclass(slots=True, eq=False)
class Exchange:
    """One request of a client and, once there is one, its result or, if that has to wait, its answer."""

    id: RequestId | None
    """Under which the result is sent as soon as it is there; without one, it waits for those before it."""
    memory: int
    """How many bytes it takes in memory, as they are charged."""
    result: TaskResult | None = None
    answer: Answer | None = None
    task: asyncio.Task[None] | None = None
    """Runs it, while it runs."""
    control: TaskControl = field(default_factory=TaskControl)

    def close(self) -> None:
        """Give back what its result takes."""
        if self.result is not None:
            self.result.output.close()
            self.result = None
        if self.answer is not None:
            self.answer.close()
            self.answer = None
