"""Output that is small enough to stay in memory, counted as long as it is there."""

from collections.abc import AsyncIterator

from ....domain.budget import Budget
from ....domain.output import chunked


class MemoryOutput:
    """Output that stayed in memory, on the budget of it."""

    __slots__ = ("_budget", "in_memory")

    def __init__(self, data: bytes, budget: Budget) -> None:
        """Own bytes for which `budget` was asked."""
        self.in_memory = data
        self._budget = budget

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.in_memory)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time."""
        return chunked(self.in_memory)

    def close(self) -> None:
        """Give the memory back."""
        self._budget.release(len(self.in_memory))
        self.in_memory = b""
