"""Everything that a process writes to its stdout, whatever the size, without holding it in memory."""

import os
from collections.abc import Callable

from ....domain.output import NO_OUTPUT, CapturedOutput
from ..poller import Poller
from .memory_output import MemoryOutput
from .pipe_reader import bytes_in
from .spool import NO_MEMORY, Spool
from .spool_writer import SpoolWriter

SPOOL_THRESHOLD_BYTES = 256 * 1024
"""Kept in memory for one task before its output goes to a file."""


class Capture:
    """Reads one pipe into memory, and from HELD_BYTES on into a spool file, until one of three things has happened.

    Nobody can write any more; there was more than may be kept (`overflowed`); the rest could not be kept (`failure`).
    Then `on_end` is called, once.
    """

    __slots__ = (
        "_buffer",
        "_closed",
        "_failure",
        "_limit",
        "_on_end",
        "_overflowed",
        "_pipe",
        "_poller",
        "_registered",
        "_reserved",
        "_size",
        "_spool",
        "_spool_writer",
    )

    def __init__(self, pipe: int, poller: Poller, spool: Spool, limit: int | None, on_end: Callable[[], None]) -> None:
        """Own `pipe`, a non-blocking reading end, and read it as it fills; keep at most `limit` bytes (None: all).

        Raises OSError where the kernel can watch no more descriptors; the pipe is then still the caller's.
        """
        self._closed = False
        self._overflowed = False
        self._failure: OSError | None = None
        self._pipe = pipe
        self._poller = poller
        self._spool = spool
        self._limit = limit
        self._on_end = on_end
        self._size = 0
        # What is in memory; all of it until there is a file, nothing from then on.
        self._buffer = bytearray()
        # What was asked of the memory of all for it.
        self._reserved = 0
        self._spool_writer: SpoolWriter | None = None
        poller.register(pipe, self._read)
        self._registered = True

    @property
    def overflowed(self) -> bool:
        """Whether there was more than may be kept."""
        return self._overflowed if self._spool_writer is None else self._spool_writer.overflowed

    @property
    def failure(self) -> OSError | None:
        """Why the rest could not be kept, if so."""
        return self._failure if self._spool_writer is None else self._spool_writer.failure

    @property
    def is_whole(self) -> bool:
        """Whether all that was read is in memory; if not, `overflowed` and `failure` say more."""
        return self._spool_writer is None and not self._overflowed and self._failure is None

    @property
    def idle(self) -> bool:
        """Whether `finish` would wait for nothing."""
        return self._spool_writer is None or self._spool_writer.idle

    @property
    def ended(self) -> bool:
        """Whether nothing more will be read."""
        if self._spool_writer is not None:
            return self._spool_writer.ended
        return self._closed or self._overflowed or self._failure is not None

    async def drain(self) -> None:
        """Take what is in the pipe by now, and hardly more, and wait for nothing but the disk."""
        if self._spool_writer is None and not self.ended and self._pipe >= 0:
            self._read_available()
        if self._spool_writer is not None:
            await self._spool_writer.drain()

    def release_pipe(self) -> int | None:
        """Return the pipe, which is the caller's from now on; None at its end, where nobody can write to it any more.

        Once, when at rest, before `take_output`.
        """
        if self._closed or (self._spool_writer is not None and self._spool_writer.closed):
            return None
        self._unregister()
        pipe, self._pipe = self._pipe, -1
        return pipe

    def take_output(self) -> CapturedOutput:
        """Return all that was kept, which is the caller's from now on, and close the pipe; once, and when at rest.

        Where it fails, for want of memory, it may be called again.
        """
        if self._registered:
            self._unregister()
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        # Whoever is told through this owns the capture: a circle, which would keep both, and the output, until the
        # garbage collector comes by.
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
        # As `ended` has it, without a call for each task.
        if self._spool_writer is None and (self._closed or self._overflowed or self._failure is not None):
            self._unregister()
            self._on_end()

    def _read_available(self) -> None:
        # By bytes: whoever goes on writing would never be done, were it read until there is nothing.
        left = bytes_in(self._pipe)
        goes_on = True
        while goes_on and left >= 0:
            size = self._size
            goes_on = self._read_some()
            left -= self._size - size

    def _read_some(self) -> bool:
        """Take what one read brings, in memory; return whether there may be more to take."""
        try:
            data = self._spool.reader.read(self._pipe)
            if not data:
                self._closed = True
                return False
            room = len(data) if self._limit is None else self._limit - self._size
            if len(data) > room:
                self._overflowed = True
                data = data[:room]
            if data:
                self._keep(data)
        except BlockingIOError:
            return False
        except OSError as error:
            self._failure = error
        except MemoryError:
            self._failure = NO_MEMORY
        return not self._overflowed and self._failure is None and self._spool_writer is None

    def _keep(self, data: memoryview) -> None:
        self._buffer += data
        self._size = len(self._buffer)
        # Room for more is made in advance, and is taken from the memory of all, too.
        capacity = self._buffer.__alloc__() - 1
        wanted = capacity - self._reserved
        granted = self._spool.memory.reserve(wanted)
        self._reserved += granted
        if granted < wanted or self._size > SPOOL_THRESHOLD_BYTES:
            self._start_spooling()

    def _start_spooling(self) -> None:
        self._unregister()
        before, self._buffer = self._buffer, bytearray()
        self._release(0)
        # Where the limit is reached already, what is in memory is all that is moved.
        self._spool_writer = SpoolWriter(
            self._pipe, self._poller, self._spool, limit=self._limit, prefix=before, on_end=self._on_end
        )
        self._spool_writer.overflowed = self._overflowed

    def _release(self, kept: int) -> None:
        self._spool.memory.release(self._reserved - kept)
        self._reserved = kept

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._poller.unregister(self._pipe)


def _ignore() -> None:
    pass
