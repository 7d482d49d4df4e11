"""Turns of the event loop: for the tests whose subject is what happens in which turn, without any time passing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ENOUGH = 50
"""More turns than anything without I/O takes from a cause to its last effect."""


async def settle(turns: int = ENOUGH) -> None:
    """Let everything happen that can happen without time or I/O; afterwards "not yet" means "not at all"."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def soon(condition: Callable[[], object]) -> None:
    """Let turns pass until a condition holds: at once, where `proc.eventually` would look too late."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError


async def past(seconds: float) -> None:
    """Let every timer run that is due within `seconds`. Timers run in their order, so none of them is late after this.

    For milliseconds, and for the tests whose subject is a timer that must not run.
    """
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()
    await settle()


def played(play: Coroutine[Any, Any, T]) -> T:
    """Run `play` in a loop of its own, for tests that do so many times; nothing may be lost there either."""
    reports: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        return await play

    result = asyncio.run(watched())
    assert reports == []
    return result
