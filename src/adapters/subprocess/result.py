"""The result of one command, for the caller that waits for it: the caller is woken, whatever fails meanwhile."""

import asyncio
import contextlib

from ...domain.outcome import Execution, Outcome
from .context import ProcessContext
from .leader import Leader
from .outcomes import execution_of
from .output.capture import Capture
from .wakeup import wake


class Result:
    """An Execution that is concluded once and then returned to the caller of `wait`.

    `failure` is the error in the agent itself, if any; `complete` says that the result is being, or was, concluded.
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
        """Return the Execution when cleanup is done. Cancelling ends only the wait."""
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
        """Discard the output: no caller will take what `wait` returns."""
        self._disowned = True
        if self._execution is not None:
            self._execution.output.close()

    def conclude(self, leader: Leader, capture: Capture, verdict: Outcome | None, context: ProcessContext) -> None:
        """Take the output and wake the caller of `wait`; `verdict` is the outcome that a stop has given to the task."""
        try:
            self._execution = execution_of(leader, capture, verdict, self.failure, context)
        except Exception as error:  # noqa: BLE001 -- an outcome without the output needs less memory
            self.failure = self.failure or error
            with contextlib.suppress(Exception):
                self._execution = execution_of(leader, capture, verdict, self.failure, context)
        if self._disowned and self._execution is not None:
            self._execution.output.close()
        self.wake()

    def wake(self) -> None:
        """Wake the caller of `wait`; try twice."""
        try:
            wake(self._ended, None)
        except MemoryError:
            wake(self._ended, None)
