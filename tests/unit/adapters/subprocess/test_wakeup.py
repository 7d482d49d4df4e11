"""Waiters are woken even if there is no memory to wake them at first."""

import asyncio
from collections.abc import Callable
from contextvars import Context

import pytest

from execwire.adapters.subprocess.throttle import Throttle
from execwire.adapters.subprocess.wakeup import wake


class ShortOfMemory:
    """A `call_soon` that fails `times` times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self._call_soon = asyncio.get_running_loop().call_soon

    def __call__(self, callback: Callable[..., object], *arguments: object, context: Context | None = None) -> object:
        if self.times:
            self.times -= 1
            raise MemoryError
        return self._call_soon(callback, *arguments, context=context)


async def test_waiter_is_woken_even_if_the_loop_has_no_memory_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[str] = loop.create_future()
    task = asyncio.create_task(asyncio.wait_for(waiting, 60))
    direct: asyncio.Future[str] = loop.create_future()

    async def wait() -> str:
        return await direct

    other = asyncio.create_task(wait())
    await asyncio.sleep(0)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon", ShortOfMemory(3))
        wake(waiting, "woken")
        patch.setattr(loop, "call_soon", ShortOfMemory(3))
        wake(direct, "too")
    assert await asyncio.wait_for(task, 10) == "woken"
    assert await asyncio.wait_for(other, 10) == "too"


async def test_future_that_is_set_or_cancelled_is_not_changed() -> None:
    waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    wake(waiting, "first")
    wake(waiting, "second")
    assert await waiting == "first"
    cancelled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    wake(cancelled, "late")
    assert cancelled.cancelled()


async def test_throttled_callers_continue_without_memory_to_schedule_an_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    throttle = Throttle(2)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_soon", ShortOfMemory(1))
        await throttle.wait()
        await throttle.wait()
    for _ in range(5):
        await asyncio.wait_for(throttle.wait(), 10)
