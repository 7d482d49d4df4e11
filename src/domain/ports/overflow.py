"""The port for storing bytes that do not fit into memory."""

from typing import Protocol

from ..output import CapturedOutput


class OverflowStore(Protocol):
    """Stores bytes that do not fit into memory."""

    async def keep(self, data: bytes) -> CapturedOutput:
        """Store a copy outside of memory; the caller owns what is returned. Raises OSError if it cannot be stored."""
        ...
