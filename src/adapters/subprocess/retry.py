"""Work for others that goes on whatever goes wrong in it: its failure is told, and it is begun anew after a pause."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine


def start_task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Return a task that runs `work`; where there is no memory for it, nothing of that is left."""
    try:
        return asyncio.get_running_loop().create_task(work)
    except Exception:
        work.close()
        raise


async def retry_until_done(
    work: Callable[[], Awaitable[None]], on_failure: Callable[[Exception], object], pause_seconds: float
) -> None:
    """Run `work` until it returns; whenever it raises, tell `on_failure`, which may fail too, and begin it anew."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, others wait for what this does
            with contextlib.suppress(Exception):
                on_failure(error)
        else:
            return
        await asyncio.sleep(pause_seconds)
