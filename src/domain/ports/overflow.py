"""Where bytes go that memory is too short for."""

from typing import Protocol

from ..output import CapturedOutput


class OverflowStore(Protocol):
    """Where bytes go that memory is too short for."""

    async def keep(self, data: bytes) -> CapturedOutput:
        """Keep a copy outside of memory; the caller owns what is returned. Raises OSError where no more can be kept."""
        ...
