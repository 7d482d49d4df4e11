"""The output of a process: its size and its bytes in chunks, independent of where they are stored."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


class CapturedOutput(Protocol):
    """Bytes that a process wrote, stored until `close`.

    The receiver owns it, and closes it as soon as it will not be read again. Closing twice is harmless.
    """

    @property
    def size(self) -> int:
        """The number of bytes."""
        ...

    @property
    def in_memory(self) -> bytes | None:
        """All bytes if they are in memory; None if they have to be read in chunks."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield all bytes from the start, in order, in non-empty pieces of at most 256 KiB."""
        ...

    def close(self) -> None:
        """Free its memory or disk space."""
        ...


CHUNK_BYTES = 256 * 1024


async def chunked(data: bytes) -> AsyncIterator[bytes]:
    """Yield `data`, 256 KiB at a time."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


@dataclass(frozen=True, slots=True)
class BytesOutput:
    """Output in memory that no memory budget counts: empty output, and the output of fakes."""

    in_memory: bytes = b""

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.in_memory)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time."""
        return chunked(self.in_memory)

    def close(self) -> None:
        """Do nothing: the bytes are freed with the object."""


NO_OUTPUT = BytesOutput()
