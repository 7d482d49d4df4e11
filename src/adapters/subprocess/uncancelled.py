"""Awaits work that has to be finished also where its waiter is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine


async def finish_uncancelled(work: Coroutine[None, None, object]) -> None:
    """Await `work` to its end; raise CancelledError only then, if this was cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
