"""The result of one command, and the Future of its waiter, which is resolved whatever fails before that."""

import asyncio

import msgspec

from ...domain.outcome import Execution
from .wakeup import wake


class Result(msgspec.Struct, eq=False):
    """An Execution that is set once; then `ended` is resolved."""

    ended: asyncio.Future[None]
    """Its waiter may cancel it, and then has to put a new Future in its place."""
    complete: bool = False
    """From the moment at which nothing can change the result any more."""
    execution: Execution | None = None
    """None although it is complete: there was no memory even to say so, and `failure` is all that there is."""
    failure: Exception | None = None
    """An error of the agent itself."""
    abandoned: bool = False
    """It has no waiter any more: its output is closed as soon as it is set."""

    def abandon(self) -> None:
        """Keep no output: the result has no waiter any more."""
        self.abandoned = True
        if self.execution is not None:
            self.execution.output.close()

    def wake(self) -> None:
        """Wake the waiter, which may have failed before."""
        wake(self.ended, None)
