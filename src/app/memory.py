"""Memory that was freed goes back to the system: after a load, the agent is as small as before."""

import asyncio
import ctypes
import gc

from .drain import Drain

CHECK_SECONDS = 2.0


async def hand_back(drain: Drain) -> None:
    """For ever: whenever tasks have been run and none is running, have the allocators let go of what is free.

    Both of them keep it otherwise: Python's until the garbage collector has been asked for, glibc's for as long as
    anything stands behind it on the heap (malloc_trim(3)). Takes some milliseconds; under load, nothing.
    """
    libc = ctypes.CDLL(None)
    seen = drain.started
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        if drain.idle and drain.started != seen:
            seen = drain.started
            gc.collect()
            # Other C libraries than glibc do without.
            if hasattr(libc, "malloc_trim"):
                libc.malloc_trim(0)
