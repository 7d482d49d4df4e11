"""One request of a client and its result."""

import asyncio

import msgspec

from ...domain.control import TaskControl
from ...domain.task import TaskResult
from ...protocol.requests import RequestId
from .answer import Answer


class Exchange(msgspec.Struct, eq=False):
    """One request of a client, and later its result, or its encoded answer if the result has to wait."""

    id: RequestId | None
    """With an id, the result is sent as soon as it exists; without one, after the results of earlier requests."""
    memory: int
    """How many bytes of memory are charged for it."""
    result: TaskResult | None = None
    answer: Answer | None = None
    task: asyncio.Task[None] | None = None
    """Runs the request; None when it does not run."""
    control: TaskControl = msgspec.field(default_factory=TaskControl)

    def close(self) -> None:
        """Release the output of its result or answer."""
        if self.result is not None:
            self.result.output.close()
            self.result = None
        if self.answer is not None:
            self.answer.close()
            self.answer = None
