"""Control of event-loop iterations, for tests of what happens in which iteration, without time passing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ENOUGH = 50
"""More iterations than anything without I/O takes from a cause to its last effect."""


async def settle(iterations: int = ENOUGH) -> None:
    """Run everything that can run without time or I/O; what has not happened afterwards does not happen."""
    for _ in range(iterations):
        await asyncio.sleep(0)


async def soon(condition: Callable[[], object]) -> None:
    """Run iterations until a condition holds, without the polling interval of `proc.eventually`."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError


async def past(seconds: float) -> None:
    """Run every timer that is due within `seconds`. Timers run in order, so none of them is late after this.

    For intervals of milliseconds, and for tests of a timer that must not run.
    """
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()
    await settle()


def played(play: Coroutine[Any, Any, T]) -> T:
    """Run `play` in a new event loop, for tests that do so often; no error may reach its exception handler."""
    reports: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        return await play

    result = asyncio.run(watched())
    assert reports == []
    return result
