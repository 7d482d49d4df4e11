"""Memory that was freed goes back to the system: after a load, the agent is as small as before."""

import asyncio
import ctypes
import gc
import time

CHECK_SECONDS = 2.0
WORK_SECONDS = 0.02
"""Of its own CPU time that the agent has to have worked before there can be anything to hand back."""
QUIET_SHARE = 0.05
"""Of a processor; who uses less of it has a moment for this."""
BUSY_SECONDS = 60.0
"""Who always has work does it all the same, once in so long."""
MAX_SHARE = 0.01
"""Of a processor that it may take."""


async def trim_when_idle() -> None:
    """For ever: after work, have the allocators return what is free, whatever runs meanwhile.

    Both of them keep it otherwise: Python's until the garbage collector has been asked for, glibc's for as long as
    anything stands behind it on the heap (malloc_trim(3)). Takes some milliseconds, in a quiet moment if one comes.
    Whether there was work is read from the CPU time of the process: whatever it was, no task pays for the counting.
    """
    libc = ctypes.CDLL(None)
    loop = asyncio.get_running_loop()
    used = handed_back = time.process_time()
    earliest, latest = 0.0, loop.time() + BUSY_SECONDS
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        before, used = used, time.process_time()
        quiet = used - before < QUIET_SHARE * CHECK_SECONDS
        if used - handed_back < WORK_SECONDS or loop.time() < (earliest if quiet else latest):
            continue
        gc.collect()
        # Other C libraries than glibc do without.
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
        handed_back = time.process_time()
        earliest = loop.time() + (handed_back - used) / MAX_SHARE
        latest = max(earliest, loop.time() + BUSY_SECONDS)
        used = handed_back
