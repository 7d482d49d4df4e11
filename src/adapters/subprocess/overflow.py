"""Bytes that were in memory and have to leave it: into a spool file, off the event loop."""

import asyncio
import errno

from .spool import Spool, SpooledOutput, write_all


async def keep(data: bytes, spool: Spool) -> SpooledOutput:
    """Keep a copy of `data` in a file of its own; raises OSError where the spool, or its disk, has no room for it."""
    claimed = spool.disk.claim(len(data))
    if claimed < len(data):
        spool.disk.release(claimed)
        raise OSError(errno.EDQUOT, "it is as large as it may be")
    try:
        file = spool.open()
    except OSError:
        spool.disk.release(claimed)
        raise
    writing = spool.submit(write_all, file.fileno(), data)
    try:
        await asyncio.wrap_future(writing)
    except BaseException:
        spool.disk.release(claimed)
        spool.free(file, writing)
        raise
    return SpooledOutput(file, len(data), spool)
