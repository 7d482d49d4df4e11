"""Runs scans of processes on the event loop in slices of time, with reserved descriptors."""

import asyncio
from collections.abc import Iterator

from ..linux.spare_descriptors import SpareDescriptors

SLICE_SECONDS = 0.005


class Slices:
    """Runs scans. A scan is an iterator and can be interrupted wherever it yields."""

    def __init__(self) -> None:
        """Open the reserved descriptors; raises OSError if none are available."""
        self.spare_descriptors = SpareDescriptors()
        self._loop = asyncio.get_running_loop()

    async def run(self, scan: Iterator[None]) -> None:
        """Run a scan to its end, one slice in each event-loop iteration."""
        while self.run_slice(scan):  # noqa: ASYNC110 -- not a wait: it yields to other callbacks
            await asyncio.sleep(0)

    def run_slice(self, scan: Iterator[None]) -> bool:
        """Run one slice of a scan; return whether more of it remains."""
        slice_end = self._loop.time() + SLICE_SECONDS
        with self.spare_descriptors:
            for _ in scan:
                if self._loop.time() >= slice_end:
                    return True
        return False

    def close(self) -> None:
        """Close the reserved descriptors."""
        self.spare_descriptors.close()
