"""What a process wrote: its size and its bytes in chunks, wherever they are kept, until they have been delivered."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


class CapturedOutput(Protocol):
    """Bytes that a process wrote, held somewhere until `close`.

    Whoever is handed one owns it and closes it exactly when nobody will read it again; closing twice is harmless.
    """

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    @property
    def in_memory(self) -> bytes | None:
        """All of it where it is in memory anyway; None where it is not and has to be read in chunks."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield all of it from the start, in order, each piece not empty and small (256 KiB at most)."""
        ...

    def close(self) -> None:
        """Give back the memory or the disk space it takes."""
        ...


CHUNK_BYTES = 256 * 1024


async def chunked(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes that are in memory, 256 KiB at a time."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


@dataclass(frozen=True, slots=True)
class BytesOutput:
    """Output that is simply there, in memory, on nobody's account: what is empty, and what fakes say."""

    in_memory: bytes = b""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.in_memory)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time."""
        return chunked(self.in_memory)

    def close(self) -> None:
        """Do nothing: the bytes go when the object goes."""


NO_OUTPUT = BytesOutput()
