"""Keeps output that is too large for memory: in unlinked files, within a budget, off the event loop."""

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
"""EMFILE may be temporary: a spawn on the event loop sets the limit of open files to that of tasks for a moment."""
NO_MEMORY = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


class CopyEnd(Enum):
    """Why copying stopped."""

    WOULD_BLOCK = auto()
    """The pipe is empty now."""
    EOF = auto()
    """End-of-file: no process can write to it any more."""
    LIMIT = auto()
    """As many bytes as requested were copied; there may be more."""


class SpooledOutput:
    """Output in an unlinked file of its own; read back by the spool's threads."""

    __slots__ = ("_file", "_read", "_spool", "size")

    def __init__(self, file: BinaryIO, size: int, spool: "Spool", last_use: Future[Any] | None = None) -> None:
        """Own `file`, whose first `size` bytes are the output; `last_use` is a thread's last call on it, if any."""
        self._file = file
        self._spool = spool
        self._read = last_use
        self.size = size

    @property
    def in_memory(self) -> None:
        """None: it is not in memory."""
        return

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time; raises OSError if the file cannot be read back."""
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
        """Free the disk space as soon as no thread reads the file any more."""
        self._spool.disk.release(self.size)
        self.size = 0
        self._spool.discard(self._file, self._read)


class Spool:
    """Creates spool files and copies bytes into them. A slow disk delays only the tasks that spool."""

    def __init__(self, directory: str, max_bytes: int, memory: Budget) -> None:
        """Keep up to `max_bytes` in files under `directory`, and in memory as much as the budget `memory` allows.

        Raises RuntimeError if the system refuses a thread.
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
        # Start all threads now: later the system may refuse one, in the middle of a task's output.
        together = threading.Barrier(THREADS)
        try:
            for _ in range(THREADS):
                self._threads.submit(together.wait)
        except RuntimeError:
            # Refused (pthread_create(3)): the threads that were started would wait for the others for ever.
            together.abort()
            raise

    def open(self) -> BinaryIO:
        """Return a new file without a name, which the kernel deletes when it is closed, in any way; raises OSError.

        Blocks on the disk; call it in one of the threads.
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
        """Copy up to `count` bytes from a non-blocking pipe to a file, as `copy_pipe` does, in a thread."""
        return self.submit(self._copy, source, target, count)

    def discard(self, file: BinaryIO, last_use: Future[Any] | None) -> None:
        """Close a file after its last use, off the event loop: freeing a gigabyte takes the kernel a while."""
        if last_use is not None:
            last_use.cancel()
        closing = self.submit(_close_after, file, last_use)
        self._discarding.add(closing)
        closing.add_done_callback(self._discarding.discard)

    async def wait_discarded(self) -> None:
        """Return when all files that have been discarded so far are closed."""
        for closing in tuple(self._discarding):
            await asyncio.wrap_future(closing)

    def close(self) -> None:
        """End the threads after they have completed all submitted calls."""
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
    """Copy up to `count` bytes from a non-blocking pipe to a file; return how many, and why it stopped.

    Raises OSError if the file cannot be written. Blocks on the disk, never on the pipe.
    """
    copied = 0
    while copied < count:
        try:
            data = reader.read(source, count - copied)
        except BlockingIOError:
            return copied, CopyEnd.WOULD_BLOCK
        if not data:
            return copied, CopyEnd.EOF
        write_all(target, data)
        copied += len(data)
    return copied, CopyEnd.LIMIT


def _close_after(file: BinaryIO, last_use: Future[Any] | None) -> None:
    # The pool starts calls in order, so the last use has started or was cancelled: this cannot wait for ever.
    if last_use is not None:
        wait((last_use,))
    file.close()


def write_all(target: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` to a file, with as many calls as necessary; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
