"""Moves bytes from memory into a spool file, off the event loop."""

import asyncio
import errno
from concurrent.futures import Future
from typing import BinaryIO

from .spool import Spool, SpooledOutput, write_all


async def keep(data: bytes, spool: Spool) -> SpooledOutput:
    """Keep a copy of `data` in a file of its own; raises OSError if the spool, or its disk, has no room for it."""
    reserved = spool.disk.reserve(len(data))
    if reserved < len(data):
        spool.disk.release(reserved)
        raise OSError(errno.EDQUOT, "it is as large as it may be")
    writing: Future[BinaryIO] | None = None
    try:
        # Not on the event loop: even opening a file can hang, with the disk.
        writing = spool.submit(_write_file, data, spool)
        # The thread continues when the caller is cancelled.
        file = await asyncio.shield(asyncio.wrap_future(writing))
    except BaseException:
        spool.disk.release(reserved)
        if writing is not None:
            writing.add_done_callback(_close)
        raise
    return SpooledOutput(file, len(data), spool)


def _write_file(data: bytes, spool: Spool) -> BinaryIO:
    file = spool.open()
    try:
        write_all(file.fileno(), data)
    except BaseException:
        file.close()
        raise
    return file


def _close(writing: Future[BinaryIO]) -> None:
    if writing.exception() is None:
        writing.result().close()
