"""Copies output that is too large for memory from its pipe into a spool file, off the event loop."""

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
"""Copied to a file in one call of a thread; also the size that the pipe is set to, for fewer event-loop iterations."""
_spool_full = RateLimitedLog("the spool is full: tasks that write more are ended; see --max-spool", time.monotonic)


class SpoolWriter:
    """Writes `prefix` and then all that is read from a pipe to a spool file, until one of three events.

    `closed`: end-of-file. `overflowed`: there was more output than the limit; the owner may set it from the start.
    `failure`: the rest could not be kept. Then `on_end` is called, once.
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
        """Start; `pipe` stays the caller's, which must not watch it. Keep at most `limit` bytes (None: all)."""
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
        # The last call of a thread on the file; it may still run if waiting for it has failed.
        self._last_use: Future[Any] | None = None
        # Set while the pipe is empty.
        self._wakeup: asyncio.Future[None] | None = None
        self._registered = False
        # Whether `drain` was called: more output is not waited for.
        self._draining = False
        self._task = asyncio.get_running_loop().create_task(self._run(prefix))

    @property
    def idle(self) -> bool:
        """Whether copying has finished."""
        return self._task.done()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be read."""
        return self.closed or self.overflowed or self.failure is not None

    async def drain(self) -> None:
        """Read what is in the pipe by now, and hardly more; wait only for the disk."""
        self._draining = True
        self._wake()
        await self._task

    def output(self) -> SpooledOutput | None:
        """Return the output, once idle; None if no file could be opened."""
        return None if self._file is None else SpooledOutput(self._file, self._size, self._spool, self._last_use)

    async def _run(self, prefix: bytearray) -> None:
        try:
            await self._start_file(prefix)
            await self._copy()
        except (OSError, MemoryError) as error:
            self.failure = error if isinstance(error, OSError) else NO_MEMORY
        finally:
            self._unregister()
        if self.ended:
            self._on_end()

    async def _start_file(self, prefix: bytearray) -> None:
        with contextlib.suppress(OSError):
            # If the user's share of pipe memory (pipe(7)) is used up, the size stays as it is: that is only slower.
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, STEP_BYTES)
        # Not on the event loop: even opening a file can hang, with the disk.
        opening = self._spool.submit(self._spool.open)
        try:
            file = await asyncio.wrap_future(opening)
        except BaseException:
            opening.add_done_callback(_close)
            raise
        self._file = file
        self._size = self._spool.disk.reserve(len(prefix))
        self.overflowed = self.overflowed or self._size < len(prefix)
        self._last_use = writing = self._spool.submit(write_all, file.fileno(), prefix[: self._size])
        await asyncio.wrap_future(writing)

    async def _copy(self) -> None:
        # Bytes that remain to be read once this drains: with a process that writes continuously, it might never end.
        remaining: int | None = None
        while not self.ended and (remaining is None or remaining >= 0):
            if self._draining and remaining is None:
                remaining = bytes_in(self._pipe)
            size = self._size
            copy_end = await self._step()
            if remaining is not None:
                remaining -= self._size - size
            if copy_end is CopyEnd.WOULD_BLOCK and not self.ended:
                if remaining is not None:
                    return
                await self._wait_for_more()

    async def _step(self) -> CopyEnd:
        file = self._file
        assert file is not None  # noqa: S101 -- narrows the type; _start_file has set it
        room = STEP_BYTES if self._limit is None else min(STEP_BYTES, self._limit - self._size)
        # No more than may be needed: other tasks cannot use what is reserved here until a thread has copied.
        granted = self._spool.disk.reserve(min(room, max(bytes_in(self._pipe), READ_BYTES)))
        if not granted:
            if room:
                _spool_full.warning(directory=self._spool.directory)
            return self._has_excess()
        copied = 0
        try:
            self._last_use = copying = self._spool.copy(self._pipe, file.fileno(), granted)
            copied, copy_end = await asyncio.wrap_future(copying)
        finally:
            self._spool.disk.release(granted - copied)
            self._size += copied
        self.closed = copy_end is CopyEnd.EOF
        return copy_end

    def _has_excess(self) -> CopyEnd:
        # No more bytes may be kept; if there is one more, the limit is not only reached but exceeded.
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
        # Before unregistering the pipe: if this fails, the poller calls again.
        if self._wakeup is not None:
            wake(self._wakeup, None)
        self._unregister()

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._poller.unregister(self._pipe)


def _close(opening: Future[BinaryIO]) -> None:
    """Close a file whose opening is not waited for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
