"""Reads pipes so that no byte is lost, also where packets are written to them (O_DIRECT, pipe(7)).

A read(2) with less room than the next packet discards the rest of that packet, and what comes before the packet takes
of the room. How much a pipe may hold is its writer's to change at any time. splice(2) cuts anywhere and loses nothing,
so everything is moved to a pipe of our own first, never more than there is room for in the reads from there.
"""

import fcntl
import os
import struct
import termios

READ_BYTES = 64 * 1024
_INT = struct.Struct("i")
_SCRAP_BYTES = 4096


class PipeReader:
    """Reads one pipe at a time; not to be used by two threads at once."""

    __slots__ = ("_reading", "_scrap", "_view", "_writing")

    def __init__(self) -> None:
        """Open a pipe to read by; raises OSError."""
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._view = memoryview(bytearray(READ_BYTES))
        self._scrap = bytearray(_SCRAP_BYTES)

    def read(self, pipe: int, count: int = READ_BYTES) -> memoryview:
        """Return up to `count` bytes, READ_BYTES at most, valid until the next call; none at end-of-file.

        Raises BlockingIOError where there are none now. What is not returned is still in the pipe.
        """
        room = READ_BYTES if count > READ_BYTES else count  # noqa: FURB136 -- min() is a call for each task
        unread = os.splice(pipe, self._writing, room, None, None, os.SPLICE_F_NONBLOCK)
        end = 0
        try:
            while unread:
                # A packet at a time; the room is never less than all that there is.
                size = os.readv(self._reading, (self._view[end:],))
                end += size
                unread -= size
        finally:
            if unread:
                self._discard()
        return self._view[:end]

    def close(self) -> None:
        """Close the pipe to read by."""
        os.close(self._reading)
        os.close(self._writing)

    def _discard(self) -> None:
        # No memory was to be had: what has not been read must not be taken for the next pipe's.
        try:
            while os.readv(self._reading, (self._scrap,)):
                pass
        except BlockingIOError:
            return


def bytes_in(pipe: int) -> int:
    """Return how many bytes wait in a pipe."""
    count: int = _INT.unpack(fcntl.ioctl(pipe, termios.FIONREAD, bytes(_INT.size)))[0]
    return count
