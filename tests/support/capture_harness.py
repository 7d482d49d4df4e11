"""A Capture of a pipe whose writing end a test holds, without a process."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from proc import eventually

from execwire.adapters.subprocess.output.capture import Capture
from execwire.adapters.subprocess.output.spool import Spool
from execwire.adapters.subprocess.poller import Poller
from execwire.domain.budget import Budget
from execwire.domain.output import CapturedOutput

PLENTY = 1 << 30


class Captured:
    """A Capture, the writing end of its pipe, and its spool."""

    def __init__(self, watch: Poller, spool: Spool, limit: int | None) -> None:
        reading, self.writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.spool = spool
        self.ends = 0
        self.capture = Capture(reading, watch, spool, limit, self._on_end)

    def _on_end(self) -> None:
        self.ends += 1

    async def write(self, data: bytes) -> None:
        """Write all data as fast as it is read, or until the capture has ended."""
        view = memoryview(data)
        while view and not self.capture.ended:
            try:
                view = view[os.write(self.writing, view[: 64 * 1024]) :]
            except BlockingIOError:
                await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close the writing end, so that the pipe is at end-of-file."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    async def ended(self) -> None:
        await eventually(lambda: self.ends > 0)

    async def collect(self) -> bytes:
        """Drain the capture and return its whole output."""
        await self.capture.drain()
        assert self.capture.idle
        output = self.capture.take_output()
        return await read_and_close(output)


async def read_and_close(output: CapturedOutput) -> bytes:
    data = b"".join([chunk async for chunk in output.chunks()])
    assert len(data) == output.size
    output.close()
    return data


@asynccontextmanager
async def capturing(
    folder: Path, limit: int | None = None, *, max_spool: int = PLENTY, max_held: int = PLENTY
) -> AsyncGenerator[Captured]:
    """Capture into `folder`; at the end all reserved memory and disk space must have been released."""
    watch, spool = Poller(), Spool(str(folder), max_spool, Budget(max_held))
    captured = Captured(watch, spool, limit)
    try:
        yield captured
        await spool.wait_discarded()
        assert (spool.disk.free, spool.memory.free) == (max_spool, max_held)
    finally:
        captured.hang_up()
        with contextlib.suppress(OSError):
            await captured.capture.drain()
        spool.close()
        watch.close()
