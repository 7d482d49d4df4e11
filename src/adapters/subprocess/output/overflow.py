"""Bytes that were in memory and have to leave it: into a spool file, off the event loop."""

import asyncio
import errno
from concurrent.futures import Future
from typing import BinaryIO

from .spool import Spool, SpooledOutput, write_all


async def keep(data: bytes, spool: Spool) -> SpooledOutput:
    """Keep a copy of `data` in a file of its own; raises OSError where the spool, or its disk, has no room for it."""
    claimed = spool.disk.reserve(len(data))
    if claimed < len(data):
        spool.disk.release(claimed)
        raise OSError(errno.EDQUOT, "it is as large as it may be")
    filing: Future[BinaryIO] | None = None
    try:
        # Not on the event loop: even the opening can hang, with the disk.
        filing = spool.submit(_file_with, data, spool)
        # It goes on when whoever waits for it is cancelled.
        file = await asyncio.shield(asyncio.wrap_future(filing))
    except BaseException:
        spool.disk.release(claimed)
        if filing is not None:
            filing.add_done_callback(_close)
        raise
    return SpooledOutput(file, len(data), spool)


def _file_with(data: bytes, spool: Spool) -> BinaryIO:
    file = spool.open()
    try:
        write_all(file.fileno(), data)
    except BaseException:
        file.close()
        raise
    return file


def _close(filing: Future[BinaryIO]) -> None:
    if filing.exception() is None:
        filing.result().close()
