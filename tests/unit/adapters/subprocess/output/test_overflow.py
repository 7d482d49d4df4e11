import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from execwire.adapters.subprocess.output.overflow import keep
from execwire.adapters.subprocess.output.spool import Spool
from execwire.domain.budget import Budget


class SlowSpool(Spool):
    """A spool on a disk that does not respond until `responds` is set."""

    responds = threading.Event()

    def open(self) -> BinaryIO:
        assert self.responds.wait(10)
        return super().open()


async def test_kept_bytes_can_be_read_back_and_their_space_is_released(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), 1000, Budget(0))
    try:
        kept = await keep(b"x" * 900, spool)
        assert (kept.size, spool.disk.free) == (900, 100)
        assert b"".join([chunk async for chunk in kept.chunks()]) == b"x" * 900
        with pytest.raises(OSError, match="as large as it may be"):
            await keep(b"x" * 101, spool)
        assert spool.disk.free == 100
        kept.close()
        await spool.wait_discarded()
        assert spool.disk.free == 1000
    finally:
        spool.close()


async def test_nothing_is_kept_or_counted_without_a_file(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "missing"), 1000, Budget(0))
    try:
        with pytest.raises(FileNotFoundError):
            await keep(b"text", spool)
        assert spool.disk.free == 1000
    finally:
        spool.close()


async def test_directory_that_hangs_blocks_a_thread_and_not_the_event_loop(tmp_path: Path) -> None:
    spool = SlowSpool(str(tmp_path), 1000, Budget(0))
    try:
        keeping = asyncio.create_task(keep(b"text", spool))
        await asyncio.sleep(0.01)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.wait({keeping})
        assert spool.disk.free == 1000
    finally:
        spool.responds.set()
        spool.close()
