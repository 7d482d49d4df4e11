"""Output that is small enough to stay in memory, counted as long as it is there."""

from collections.abc import AsyncIterator

from ....domain.budget import Budget
from ....domain.output import chunked


class MemoryOutput:
    """Output that stayed in memory, on the budget of it."""

    __slots__ = ("_budget", "held")

    def __init__(self, held: bytes, budget: Budget) -> None:
        """Own bytes for which `budget` was asked."""
        self.held = held
        self._budget = budget

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.held)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 256 KiB at a time."""
        return chunked(self.held)

    def close(self) -> None:
        """Give the memory back."""
        self._budget.release(len(self.held))
        self.held = b""
