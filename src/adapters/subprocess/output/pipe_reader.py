"""Reads pipes so that no byte is lost, also where packets are written to them (O_DIRECT, pipe(7)).

A read(2) with less room than the next packet discards the rest of that packet, and data before the packet uses up part
of the room. The writer can change the capacity of a pipe at any time. splice(2) cuts anywhere and loses nothing, so
everything is moved to an internal pipe first, never more than the buffer that this is read into has room for.
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
        """Open the internal pipe; raises OSError."""
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._view = memoryview(bytearray(READ_BYTES))
        self._scrap = bytearray(_SCRAP_BYTES)

    def read(self, pipe: int, count: int = READ_BYTES) -> memoryview:
        """Return up to `count` bytes, READ_BYTES at most, valid until the next call; none at end-of-file.

        Raises BlockingIOError if there are none now. What is not returned is still in the pipe.
        """
        room = READ_BYTES if count > READ_BYTES else count  # noqa: FURB136 -- min() is a call for each task
        unread = os.splice(pipe, self._writing, room, None, None, os.SPLICE_F_NONBLOCK)
        end = 0
        try:
            while unread:
                # One packet at a time; the buffer always has room for all that remains.
                size = os.readv(self._reading, (self._view[end:],))
                end += size
                unread -= size
        finally:
            if unread:
                self._discard()
        return self._view[:end]

    def close(self) -> None:
        """Close the internal pipe."""
        os.close(self._reading)
        os.close(self._writing)

    def _discard(self) -> None:
        # Memory has run out: data that has not been read must not be returned as data of the next pipe.
        try:
            while os.readv(self._reading, (self._scrap,)):
                pass
        except BlockingIOError:
            return


def bytes_in(pipe: int) -> int:
    """Return the number of unread bytes in a pipe."""
    count: int = _INT.unpack(fcntl.ioctl(pipe, termios.FIONREAD, bytes(_INT.size)))[0]
    return count
