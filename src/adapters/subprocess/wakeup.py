"""Sets the result of a Future and wakes its waiter, even if memory runs out at that moment.

asyncio first stores the result, then schedules the callbacks of the Future, and then forgets them: if the loop has no
memory to schedule them, the waiter waits for ever.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ATTEMPTS = 100
PAUSE_SECONDS = 0.01
"""Between attempts; this blocks the event loop, which could do nothing without memory either."""


def wake(future: asyncio.Future[T], value: T, attempts: int = ATTEMPTS) -> None:
    """Set the result, unless it is set or the Future is cancelled; the Future has one waiter at most.

    Raises MemoryError if all attempts fail for a second.
    """
    callbacks = None
    try:
        callbacks = future._callbacks  # noqa: SLF001 -- there is no public access to the callbacks
        callbacks = callbacks and list(callbacks)
        future.set_result(value)
    except asyncio.InvalidStateError:
        return
    except MemoryError:
        # If it is not done, nothing has been set yet: try again.
        if future.done():
            for callback, context in callbacks or ():
                _persist(lambda: future.get_loop().call_soon(callback, future, context=context))  # noqa: B023
        elif attempts:
            time.sleep(PAUSE_SECONDS)
            wake(future, value, attempts - 1)
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
