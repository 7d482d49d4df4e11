"""Output that is small enough to stay in memory; it counts towards the memory budget until it is closed."""

from collections.abc import AsyncIterator

from ....domain.budget import Budget
from ....domain.output import chunked


class MemoryOutput:
    """Output in memory, reserved in a budget."""

    __slots__ = ("_budget", "in_memory")

    def __init__(self, data: bytes, budget: Budget) -> None:
        """Own bytes that are reserved in `budget`."""
        self.in_memory = data
        self._budget = budget

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.in_memory)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time."""
        return chunked(self.in_memory)

    def close(self) -> None:
        """Release the memory."""
        self._budget.release(len(self.in_memory))
        self.in_memory = b""
