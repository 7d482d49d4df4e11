"""Returns freed memory to the system, so that after a high load the agent is as small as before."""

import asyncio
import ctypes
import gc
import time

CHECK_SECONDS = 2.0
WORK_SECONDS = 0.02
"""CPU time that the agent must have used since the last trim; after less, there is nothing to return."""
QUIET_SHARE = 0.05
"""Share of a CPU; an agent that uses less than this is idle."""
BUSY_SECONDS = 60.0
"""An agent that is never idle trims all the same, at this interval."""
MAX_SHARE = 0.01
"""Share of a CPU that trimming may use."""


async def trim_when_idle() -> None:
    """Return free memory after work, for ever.

    Both allocators keep it otherwise: Python's until the garbage collector runs, glibc's as long as anything is
    allocated behind it on the heap (malloc_trim(3)). A trim takes some milliseconds, if possible while the agent is
    idle. Work is measured by the CPU time of the process, so that counting it costs a task nothing.
    """
    libc = ctypes.CDLL(None)
    loop = asyncio.get_running_loop()
    used = trimmed = time.process_time()
    earliest, latest = 0.0, loop.time() + BUSY_SECONDS
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        before, used = used, time.process_time()
        quiet = used - before < QUIET_SHARE * CHECK_SECONDS
        if used - trimmed < WORK_SECONDS or loop.time() < (earliest if quiet else latest):
            continue
        gc.collect()
        # Only glibc has it.
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
        trimmed = time.process_time()
        earliest = loop.time() + (trimmed - used) / MAX_SHARE
        latest = max(earliest, loop.time() + BUSY_SECONDS)
        used = trimmed
