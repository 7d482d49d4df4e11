"""Where output is kept that is too much for memory: unlinked files, within a budget, off the event loop."""

import asyncio
import errno
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import Enum, auto
from queue import SimpleQueue
from typing import Any, BinaryIO, TypeVar

from ....domain.budget import Budget
from ....domain.output import CHUNK_BYTES
from .pipe_reader import PipeReader

T = TypeVar("T")

THREADS = 4
LIMIT_RETRY_SECONDS = (0.001, 0.01, 0.05)
"""EMFILE may be that of a moment: a spawn on the event loop has just set the limit of open files to that of tasks."""
NO_MEMORY = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


class CopyEnd(Enum):
    """Why moving bytes stopped."""

    WOULD_BLOCK = auto()
    """The pipe holds nothing now."""
    EOF = auto()
    """End-of-file: nobody can write to it any more."""
    LIMIT = auto()
    """All that was asked for was moved; there may be more."""


class SpooledOutput:
    """Output in an unlinked file of its own; read back by the spool's threads."""

    __slots__ = ("_file", "_read", "_spool", "size")

    def __init__(self, file: BinaryIO, size: int, spool: "Spool", last_use: Future[Any] | None = None) -> None:
        """Own `file`, of which the first `size` bytes are the output; `last_use` is a thread's, if there was one."""
        self._file = file
        self._spool = spool
        self._read = last_use
        self.size = size

    @property
    def in_memory(self) -> None:
        """None: it is not in memory."""
        return

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time; raises OSError where the file cannot be read back."""
        offset = 0
        while offset < self.size:
            reading = self._spool.submit(os.pread, self._file.fileno(), min(CHUNK_BYTES, self.size - offset), offset)
            self._read = reading
            chunk = await asyncio.wrap_future(reading)
            if not chunk:
                message = f"the spool file ends at {offset} of {self.size} bytes"
                raise OSError(message)
            offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Free the disk space, as soon as no thread reads it any more."""
        self._spool.disk.release(self.size)
        self.size = 0
        self._spool.discard(self._file, self._read)


class Spool:
    """Makes spool files and moves bytes into them. A slow disk holds up the tasks that spool, and nobody else."""

    def __init__(self, directory: str, max_bytes: int, memory: Budget) -> None:
        """Keep up to `max_bytes` in files under `directory`, and what `memory` has room for in memory.

        Raises RuntimeError where the system refuses a thread.
        """
        self.directory = directory
        self.disk = Budget(max_bytes)
        self.memory = memory
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="spool")
        self._discarding: set[Future[None]] = set()
        # For the event loop.
        self.reader = PipeReader()
        # For the threads, one each.
        self._readers: SimpleQueue[PipeReader] = SimpleQueue()
        for _ in range(THREADS):
            self._readers.put(PipeReader())
        # All at once and now: later the system may refuse a thread, in the middle of somebody's output.
        together = threading.Barrier(THREADS)
        try:
            for _ in range(THREADS):
                self._threads.submit(together.wait)
        except RuntimeError:
            # Refused (pthread_create(3)): those that were had would wait for the others for ever.
            together.abort()
            raise

    def open(self) -> BinaryIO:
        """Return a new file without a name, which is gone when it is closed, however that comes; raises OSError.

        Blocks on the disk; for one of the threads.
        """
        for seconds in LIMIT_RETRY_SECONDS:
            try:
                return tempfile.TemporaryFile(dir=self.directory, buffering=0)
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise
            time.sleep(seconds)
        return tempfile.TemporaryFile(dir=self.directory, buffering=0)

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Run a blocking call in one of the spool's threads."""
        return self._threads.submit(function, *arguments)

    def copy(self, source: int, target: int, count: int) -> Future[tuple[int, CopyEnd]]:
        """Move up to `count` bytes from a non-blocking pipe to a file, as `move` does, in a thread."""
        return self.submit(self._copy, source, target, count)

    def discard(self, file: BinaryIO, last_use: Future[Any] | None) -> None:
        """Close a file after its last use, off the loop: freeing a gigabyte takes the kernel a while."""
        if last_use is not None:
            last_use.cancel()
        freeing = self.submit(_close_after, file, last_use)
        self._discarding.add(freeing)
        freeing.add_done_callback(self._discarding.discard)

    async def wait_discarded(self) -> None:
        """Return when every file that was to be freed until now is."""
        for freeing in tuple(self._discarding):
            await asyncio.wrap_future(freeing)

    def close(self) -> None:
        """End the threads, once they have done what was asked of them."""
        self._threads.shutdown()
        self.reader.close()
        for _ in range(THREADS):
            self._readers.get().close()

    def _copy(self, source: int, target: int, count: int) -> tuple[int, CopyEnd]:
        reader = self._readers.get()
        try:
            return copy_pipe(reader, source, target, count)
        finally:
            self._readers.put(reader)


def copy_pipe(reader: PipeReader, source: int, target: int, count: int) -> tuple[int, CopyEnd]:
    """Move up to `count` bytes from a non-blocking pipe to a file; return how many, and why it stopped.

    Raises OSError where the file takes no more. Blocks on the disk, never on the pipe.
    """
    moved = 0
    while moved < count:
        try:
            data = reader.read(source, count - moved)
        except BlockingIOError:
            return moved, CopyEnd.WOULD_BLOCK
        if not data:
            return moved, CopyEnd.EOF
        write_all(target, data)
        moved += len(data)
    return moved, CopyEnd.LIMIT


def _close_after(file: BinaryIO, last_use: Future[Any] | None) -> None:
    # The pool begins calls in order, so the last use has begun: this waits for its end, or it was cancelled.
    if last_use is not None:
        wait((last_use,))
    file.close()


def write_all(target: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` to a file, however many calls it takes; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
