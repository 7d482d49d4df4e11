"""Captures all that a process writes to its stdout, of any size, in bounded memory."""

import os
from collections.abc import Callable

from ....domain.output import NO_OUTPUT, CapturedOutput
from ..poller import Poller
from .memory_output import MemoryOutput
from .pipe_reader import bytes_in
from .spool import NO_MEMORY, Spool
from .spool_writer import SpoolWriter

SPOOL_THRESHOLD_BYTES = 256 * 1024
"""Kept in memory for one task; larger output is written to a file."""


class Capture:
    """Reads one pipe into memory, above SPOOL_THRESHOLD_BYTES into a spool file, until one of three events.

    The events: end-of-file; more output than the limit (`overflowed`); an error while keeping it (`failure`). Then
    `on_end` is called, once.
    """

    # What most tasks never change stays in the class: it costs them nothing.
    closed = False
    """End-of-file: no process can write any more."""
    overflowed = False
    """There was more than may be kept."""
    failure: OSError | None = None
    """Why the rest could not be kept."""
    ended = False
    """One of these three: nothing more is read."""
    is_cut = False
    """One of the last two: not all that was written is kept."""
    is_spooled = False
    """The output goes to a file."""
    _spool_writer: SpoolWriter | None = None
    _size = 0
    _reserved = 0
    """Bytes that are reserved for the buffer in the memory budget that all tasks share."""

    def __init__(self, pipe: int, poller: Poller, spool: Spool, limit: int | None, on_end: Callable[[], None]) -> None:
        """Own `pipe`, a read end, and read it as data arrives; keep at most `limit` bytes (None: all).

        Raises OSError if the kernel cannot watch any more descriptors; the pipe is then still the caller's.
        """
        self._pipe = pipe
        self._poller = poller
        self._spool = spool
        self._limit = limit
        self._on_end = on_end
        # The output in memory: all of it until there is a file, nothing afterwards.
        self._buffer = bytearray()
        poller.register(pipe, self._read)
        self._registered = True

    @property
    def idle(self) -> bool:
        """Whether `drain` would return without waiting."""
        return self._spool_writer is None or self._spool_writer.idle

    async def drain(self) -> None:
        """Read what is in the pipe by now, and hardly more; wait only for the disk."""
        if self._spool_writer is None and not self.ended and self._pipe >= 0:
            self._read_available()
        if self._spool_writer is not None:
            await self._spool_writer.drain()

    def release_pipe(self) -> int | None:
        """Return the pipe, which the caller then owns; None at end-of-file, where no process can write to it any more.

        Call once, when idle, before `take_output`.
        """
        if self.closed or (self._spool_writer is not None and self._spool_writer.closed):
            return None
        self._unregister()
        pipe, self._pipe = self._pipe, -1
        return pipe

    def take_output(self) -> CapturedOutput:
        """Return all output that was kept, which the caller then owns, and close the pipe. Call once, when idle.

        If it fails for lack of memory, it may be called again.
        """
        if self._registered:
            self._unregister()
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        # The owner of the callback owns this capture: the reference cycle would keep both, and the output, until the
        # garbage collector runs.
        self._on_end = _ignore
        output: CapturedOutput = NO_OUTPUT
        if self._spool_writer is not None:
            output = self._spool_writer.output() or NO_OUTPUT
            self._spool_writer = None
        elif self._size:
            output = MemoryOutput(bytes(self._buffer), self._spool.memory)
            self._release(self._size)
            self._buffer = bytearray()
            self._size = 0
        return output

    def _read(self) -> None:
        self._read_some()
        if self.ended and self._spool_writer is None:
            if self._registered:
                # As `_unregister`, inlined: this runs for every task.
                self._registered = False
                self._poller.unregister(self._pipe)
            self._on_end()

    def _read_available(self) -> None:
        # Limited by a count of bytes: with a process that writes continuously, the pipe might never be empty.
        remaining = bytes_in(self._pipe)
        may_have_more = True
        while may_have_more and remaining >= 0:
            size = self._size
            may_have_more = self._read_some()
            remaining -= self._size - size

    def _read_some(self) -> bool:
        """Read once into memory; return whether there may be more to read."""
        try:
            data = self._spool.reader.read(self._pipe)
            if data:
                if self._limit is not None and self._size + len(data) > self._limit:
                    data = data[: self._limit - self._size]
                    self.overflowed = True
                if data:
                    self._keep(data)
            else:
                self.closed = self.ended = True
        except BlockingIOError:
            return False
        except OSError as error:
            self.failure = error
        except MemoryError:
            self.failure = NO_MEMORY
        if self.overflowed or self.failure is not None:
            self.ended = self.is_cut = True
        return not self.ended and self._spool_writer is None

    def _on_spooled(self) -> None:
        """Take over how the writer has ended, and report it."""
        writer = self._spool_writer
        if writer is not None:
            self._take_over(writer)
        self._on_end()

    def _take_over(self, writer: SpoolWriter) -> None:
        self.closed, self.overflowed, self.failure = writer.closed, writer.overflowed, writer.failure
        self.is_cut = self.overflowed or self.failure is not None
        self.ended = self.closed or self.is_cut

    def _keep(self, data: memoryview) -> None:
        self._buffer += data
        self._size = len(self._buffer)
        # A bytearray allocates more than its size; all of that is reserved in the shared budget.
        capacity = self._buffer.__alloc__() - 1
        wanted = capacity - self._reserved
        granted = self._spool.memory.reserve(wanted)
        self._reserved += granted
        if granted < wanted or self._size > SPOOL_THRESHOLD_BYTES:
            self._start_spooling()

    def _start_spooling(self) -> None:
        self._unregister()
        prefix, self._buffer = self._buffer, bytearray()
        self._release(0)
        # If the limit is reached already, only the prefix is written to the file.
        self._spool_writer = SpoolWriter(
            self._pipe, self._poller, self._spool, limit=self._limit, prefix=prefix, on_end=self._on_spooled
        )
        self._spool_writer.overflowed = self.overflowed
        self.is_spooled = True

    def _release(self, kept: int) -> None:
        self._spool.memory.release(self._reserved - kept)
        self._reserved = kept

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._poller.unregister(self._pipe)


def _ignore() -> None:
    pass
