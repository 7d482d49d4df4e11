"""Everything that a process writes to its stdout, whatever the size, without holding it in memory."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import BinaryIO

from ...domain.output import NO_OUTPUT, CapturedOutput
from .spool import NO_MEMORY, READ_BYTES, MemoryOutput, Spool, SpooledOutput, Stop, move, write_all
from .watch import Watch

HELD_BYTES = 256 * 1024
"""Kept in memory for one task before its output goes to a file."""
STEP_BYTES = 1024 * 1024
"""Moved to a file before it is looked whether to go on; also the size of the pipe from then on, for fewer turns."""


class Capture:
    """Reads one pipe into memory, and from HELD_BYTES on into a spool file, until one of three things has happened.

    `closed`: nobody can write any more. `overflowed`: there was more than may be kept. `failure`: the rest could not
    be kept. Then `on_end` is called, once.
    """

    __slots__ = (
        "_file",
        "_finishing",
        "_limit",
        "_on_end",
        "_pieces",
        "_pipe",
        "_size",
        "_spool",
        "_spooling",
        "_stirred",
        "_watch",
        "_watched",
        "closed",
        "failure",
        "overflowed",
    )

    def __init__(self, pipe: int, watch: Watch, spool: Spool, limit: int | None, on_end: Callable[[], None]) -> None:
        """Own `pipe`, a non-blocking reading end, and read it at once; keep at most `limit` bytes (None: all of it).

        Raises OSError where the kernel can watch no more descriptors; the pipe is then still the caller's.
        """
        self.closed = False
        self.overflowed = False
        self.failure: OSError | None = None
        self._pipe = pipe
        self._watch = watch
        self._spool = spool
        self._limit = limit
        self._on_end = on_end
        self._size = 0
        # What is in memory, in order; all of it until there is a file, nothing from then on.
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        # Moves what comes into the file.
        self._spooling: asyncio.Task[None] | None = None
        # Set while the spooling task waits for something to be in the pipe.
        self._stirred: asyncio.Future[None] | None = None
        # Nothing is waited for any more.
        self._finishing = False
        watch.add(pipe, self._read)
        self._watched = True

    @property
    def at_rest(self) -> bool:
        """Whether `finish` would wait for nothing."""
        return self._spooling is None or self._spooling.done()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be read."""
        return self.closed or self.overflowed or self.failure is not None

    async def finish(self) -> None:
        """Take what is in the pipe by now, one pipe's capacity at most, and wait for nothing but the disk."""
        self._finishing = True
        if self._spooling is None and not self.ended:
            self._take(fcntl.fcntl(self._pipe, fcntl.F_GETPIPE_SZ))
        if self._stirred is not None and not self._stirred.done():
            self._stirred.set_result(None)
        if self._spooling is not None:
            await self._spooling

    def collect(self) -> CapturedOutput:
        """Return all that was kept, which is the caller's from now on, and close the pipe; once, and when at rest."""
        self._unwatch()
        os.close(self._pipe)
        if self._file is not None:
            return SpooledOutput(self._file, self._size, self._spool)
        if not self._size:
            return NO_OUTPUT
        return MemoryOutput(b"".join(self._pieces), self._spool.memory)

    def _read(self) -> None:
        self._take(READ_BYTES)
        if self.ended and self._spooling is None:
            self._end()

    def _take(self, count: int) -> None:
        try:
            data = os.read(self._pipe, count)
        except BlockingIOError:
            return
        except MemoryError:
            self.failure = NO_MEMORY
            return
        self.closed = not data
        if self.closed:
            return
        room = len(data) if self._limit is None else self._limit - self._size
        if len(data) > room:
            self.overflowed = True
            data = data[:room]
        granted = self._spool.memory.claim(len(data))
        self._pieces.append(data)
        self._size += len(data)
        if granted < len(data) or self._size > HELD_BYTES:
            self._spool.memory.release(self._size - len(data) + granted)
            self._unwatch()
            self._spooling = asyncio.get_running_loop().create_task(self._spool_on())

    async def _spool_on(self) -> None:
        try:
            await self._start_file()
            while not self.ended:
                finishing = self._finishing
                stop = await self._step(fcntl.fcntl(self._pipe, fcntl.F_GETPIPE_SZ) if finishing else STEP_BYTES)
                if finishing:
                    break
                if stop is Stop.EMPTY and not self.ended:
                    await self._stir()
        except (OSError, MemoryError) as error:
            self.failure = error if isinstance(error, OSError) else NO_MEMORY
        if self.ended:
            self._end()

    async def _start_file(self) -> None:
        with contextlib.suppress(OSError):
            # Past the user's share of pipe memory (pipe(7)) it stays as it is, which is slower and nothing else.
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, STEP_BYTES)
        held, self._pieces, self._size = b"".join(self._pieces), [], 0
        self._file = self._spool.open()
        self._size = self._spool.disk.claim(len(held))
        self.overflowed = self.overflowed or self._size < len(held)
        await asyncio.wrap_future(self._spool.submit(write_all, self._file.fileno(), held[: self._size]))

    async def _step(self, wanted: int) -> Stop:
        assert self._file is not None  # noqa: S101 -- narrows the type; _start_file has set it
        room = wanted if self._limit is None else min(wanted, self._limit - self._size)
        granted = self._spool.disk.claim(room)
        if not granted:
            return self._probe()
        moved = 0
        try:
            moved, stop = await asyncio.wrap_future(self._spool.submit(move, self._pipe, self._file.fileno(), granted))
        finally:
            self._spool.disk.release(granted - moved)
            self._size += moved
        self.closed = stop is Stop.CLOSED
        return stop

    def _probe(self) -> Stop:
        # No byte more may be kept; whether there is one decides between the limit reached and the limit exceeded.
        try:
            self.overflowed = bool(os.read(self._pipe, 1))
        except BlockingIOError:
            return Stop.EMPTY
        self.closed = not self.overflowed
        return Stop.ENOUGH

    async def _stir(self) -> None:
        if self._finishing:
            return
        self._stirred = asyncio.get_running_loop().create_future()
        self._watch.add(self._pipe, self._stir_now)
        self._watched = True
        await self._stirred
        self._unwatch()

    def _stir_now(self) -> None:
        self._unwatch()
        if self._stirred is not None and not self._stirred.done():
            self._stirred.set_result(None)

    def _end(self) -> None:
        self._unwatch()
        self._on_end()

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._watch.remove(self._pipe)
