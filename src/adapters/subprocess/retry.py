"""Runs background work that others wait for: a failure is reported, and the work is restarted after a pause."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine


def start_background(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Return an asyncio.Task that runs `work`; if it cannot be created, close `work`."""
    try:
        return asyncio.get_running_loop().create_task(work)
    except Exception:
        work.close()
        raise


async def retry_until_done(
    work: Callable[[], Awaitable[None]], on_failure: Callable[[Exception], object], pause_seconds: float
) -> None:
    """Run `work` until it returns; when it raises, call `on_failure`, which may raise too, and restart it."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, others wait for this work
            with contextlib.suppress(Exception):
                on_failure(error)
        else:
            return
        await asyncio.sleep(pause_seconds)
