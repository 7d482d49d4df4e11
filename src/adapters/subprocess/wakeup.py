"""Tells who waits for a Future, also where memory runs out at that very moment.

asyncio itself first notes the result, then asks the loop to wake who waits, and then knows nobody any more: where the
loop has no memory for that, whoever waits does so for ever.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ATTEMPTS = 100
PAUSE_SECONDS = 0.01
"""Between attempts, in which the loop stands still: without memory it could begin nothing either."""


def wake(waiting: asyncio.Future[T], value: T, attempts: int = ATTEMPTS) -> None:
    """Set the result, unless there is one or the waiting was cancelled; one waits for it at most.

    Raises MemoryError after a second of it.
    """
    waiters = None
    try:
        waiters = waiting._callbacks  # noqa: SLF001 -- nothing public says who waits
        waiters = waiters and list(waiters)
        waiting.set_result(value)
    except asyncio.InvalidStateError:
        return
    except MemoryError:
        # Where it cannot be seen who waits, nothing has been set yet.
        if waiting.done():
            for callback, context in waiters or ():
                _persist(lambda: waiting.get_loop().call_soon(callback, waiting, context=context))  # noqa: B023
        elif attempts:
            time.sleep(PAUSE_SECONDS)
            wake(waiting, value, attempts - 1)
        else:
            raise


def _persist(attempt: Callable[[], object]) -> None:
    for _ in range(ATTEMPTS):
        try:
            attempt()
        except MemoryError:
            time.sleep(PAUSE_SECONDS)
        else:
            return
    attempt()
