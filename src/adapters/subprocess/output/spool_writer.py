"""The part of a process's output that is too much for memory: from its pipe into a spool file, off the event loop."""

import asyncio
import contextlib
import fcntl
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, BinaryIO

from ...rate_limited_log import RateLimitedLog
from ..poller import Poller
from ..wakeup import wake
from .pipe_reader import READ_BYTES, bytes_in
from .spool import NO_MEMORY, CopyEnd, Spool, SpooledOutput, write_all

STEP_BYTES = 1024 * 1024
"""Moved to a file before it is looked whether to go on; also the size of the pipe from then on, for fewer turns."""
_spool_full = RateLimitedLog("the spool is full: tasks that write more are ended; see --max-spool", time.monotonic)


class SpoolWriter:
    """Moves what comes through a pipe behind what came `before`, until one of three things has happened.

    `closed`: nobody can write any more. `overflowed`: there was more than may be kept, which its owner may know from
    the start. `failure`: the rest could not be kept. Then `on_end` is called, once.
    """

    __slots__ = (
        "_draining",
        "_file",
        "_last_use",
        "_limit",
        "_on_end",
        "_pipe",
        "_poller",
        "_registered",
        "_size",
        "_spool",
        "_task",
        "_wakeup",
        "closed",
        "failure",
        "overflowed",
    )

    def __init__(
        self,
        pipe: int,
        poller: Poller,
        spool: Spool,
        *,
        limit: int | None,
        prefix: bytearray,
        on_end: Callable[[], None],
    ) -> None:
        """Begin; `pipe` stays the caller's and must not be watched by it. Keep at most `limit` bytes (None: all)."""
        self.closed = False
        self.overflowed = False
        self.failure: OSError | None = None
        self._pipe = pipe
        self._poller = poller
        self._spool = spool
        self._limit = limit
        self._on_end = on_end
        self._size = 0
        self._file: BinaryIO | None = None
        # Of a thread; it may go on where it could not be waited for.
        self._last_use: Future[Any] | None = None
        # Set while there is nothing to move.
        self._wakeup: asyncio.Future[None] | None = None
        self._registered = False
        # Nothing is waited for any more.
        self._draining = False
        self._task = asyncio.get_running_loop().create_task(self._run(prefix))

    @property
    def idle(self) -> bool:
        """Whether nothing is being moved any more."""
        return self._task.done()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be moved."""
        return self.closed or self.overflowed or self.failure is not None

    async def drain(self) -> None:
        """Take what is in the pipe by now, and hardly more, and wait for nothing but the disk."""
        self._draining = True
        self._wake()
        await self._task

    def output(self) -> SpooledOutput | None:
        """Return what was moved, once at rest; None where there was no file to be had."""
        return None if self._file is None else SpooledOutput(self._file, self._size, self._spool, self._last_use)

    async def _run(self, before: bytearray) -> None:
        try:
            await self._start_file(before)
            await self._copy()
        except (OSError, MemoryError) as error:
            self.failure = error if isinstance(error, OSError) else NO_MEMORY
        finally:
            self._unregister()
        if self.ended:
            self._on_end()

    async def _start_file(self, before: bytearray) -> None:
        with contextlib.suppress(OSError):
            # Past the user's share of pipe memory (pipe(7)) it stays as it is, which is slower and nothing else.
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, STEP_BYTES)
        # Not on the event loop: even the opening can hang, with the disk.
        opening = self._spool.submit(self._spool.open)
        try:
            file = await asyncio.wrap_future(opening)
        except BaseException:
            opening.add_done_callback(_close)
            raise
        self._file = file
        self._size = self._spool.disk.reserve(len(before))
        self.overflowed = self.overflowed or self._size < len(before)
        self._last_use = writing = self._spool.submit(write_all, file.fileno(), before[: self._size])
        await asyncio.wrap_future(writing)

    async def _copy(self) -> None:
        # What is in the pipe at the end and hardly more, or who goes on writing would never be let go.
        left: int | None = None
        while not self.ended and (left is None or left >= 0):
            if self._draining and left is None:
                left = bytes_in(self._pipe)
            size = self._size
            stop = await self._step()
            if left is not None:
                left -= self._size - size
            if stop is CopyEnd.WOULD_BLOCK and not self.ended:
                if left is not None:
                    return
                await self._wait_for_more()

    async def _step(self) -> CopyEnd:
        file = self._file
        assert file is not None  # noqa: S101 -- narrows the type; _start_file has set it
        room = STEP_BYTES if self._limit is None else min(STEP_BYTES, self._limit - self._size)
        # What is claimed and not needed is missing elsewhere for as long as this waits for a thread.
        granted = self._spool.disk.reserve(min(room, max(bytes_in(self._pipe), READ_BYTES)))
        if not granted:
            if room:
                _spool_full.warning(directory=self._spool.directory)
            return self._has_excess()
        moved = 0
        try:
            self._last_use = moving = self._spool.copy(self._pipe, file.fileno(), granted)
            moved, stop = await asyncio.wrap_future(moving)
        finally:
            self._spool.disk.release(granted - moved)
            self._size += moved
        self.closed = stop is CopyEnd.EOF
        return stop

    def _has_excess(self) -> CopyEnd:
        # No byte more may be kept; whether there is one decides between the limit reached and the limit exceeded.
        try:
            self.overflowed = bool(self._spool.reader.read(self._pipe))
        except BlockingIOError:
            return CopyEnd.WOULD_BLOCK
        self.closed = not self.overflowed
        return CopyEnd.LIMIT

    async def _wait_for_more(self) -> None:
        if self._draining:
            return
        self._wakeup = asyncio.get_running_loop().create_future()
        self._poller.register(self._pipe, self._wake)
        self._registered = True
        await self._wakeup

    def _wake(self) -> None:
        # Before it is watched no longer: where this fails, it is called again.
        if self._wakeup is not None:
            wake(self._wakeup, None)
        self._unregister()

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._poller.unregister(self._pipe)


def _close(opening: Future[BinaryIO]) -> None:
    """Close what was opened for nobody."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
