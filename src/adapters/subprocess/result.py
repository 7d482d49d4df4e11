"""What has become of one command, and whoever waits for that: it is told, whatever fails in between."""

import asyncio
import contextlib

from ...domain.outcome import Execution, Outcome
from .context import ProcessContext
from .leader import Leader
from .outcomes import execution_of
from .output.capture import Capture
from .wakeup import wake


class Result:
    """An Execution that is concluded once and then told.

    `failure` is what went wrong in the agent itself; `over` says that it is being concluded.
    """

    __slots__ = ("_disowned", "_ended", "_execution", "_loop", "complete", "failure")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.complete = False
        self.failure: Exception | None = None
        self._loop = loop
        self._disowned = False
        self._execution: Execution | None = None
        self._ended: asyncio.Future[None] = loop.create_future()

    async def wait(self) -> Execution:
        """Return how it ended, once nothing of it is left. Cancelling ends the waiting and nothing else."""
        if not self.complete:
            try:
                await self._ended
            except asyncio.CancelledError:
                self._ended = self._loop.create_future()
                raise
        if self._execution is None:
            raise self.failure or AssertionError
        return self._execution

    def disown(self) -> None:
        """Keep no output: nobody takes what `ended` would return."""
        self._disowned = True
        if self._execution is not None:
            self._execution.output.close()

    def conclude(self, leader: Leader, capture: Capture, verdict: Outcome | None, context: ProcessContext) -> None:
        """Take the output, when nothing else is left, and tell how it ended; `verdict` is what it was stopped for."""
        try:
            self._execution = execution_of(leader, capture, verdict, self.failure, context)
        except Exception as error:  # noqa: BLE001 -- with less to say than there was, it needs less memory
            self.failure = self.failure or error
            with contextlib.suppress(Exception):
                self._execution = execution_of(leader, capture, verdict, self.failure, context)
        if self._disowned and self._execution is not None:
            self._execution.output.close()
        self.wake()

    def wake(self) -> None:
        """Wake who waits; once more where that failed."""
        try:
            wake(self._ended, None)
        except MemoryError:
            wake(self._ended, None)
