"""Walks over processes in slices of time on the event loop, with descriptors of their own to look with."""

import asyncio
from collections.abc import Iterator

from ..linux.spare_descriptors import SpareDescriptors

SLICE_SECONDS = 0.005


class Slices:
    """Runs walks, each an iterator that is interrupted wherever it yields."""

    def __init__(self) -> None:
        """Take the descriptors; raises OSError where there are none."""
        self.spare_descriptors = SpareDescriptors()
        self._loop = asyncio.get_running_loop()

    async def run(self, walk: Iterator[None]) -> None:
        """Walk to the end, a slice in each event-loop iteration."""
        while self.run_slice(walk):  # noqa: ASYNC110 -- waits for nothing: others get a turn
            await asyncio.sleep(0)

    def run_slice(self, walk: Iterator[None]) -> bool:
        """Walk for one slice, and return whether there is more of it."""
        slice_end = self._loop.time() + SLICE_SECONDS
        with self.spare_descriptors:
            for _ in walk:
                if self._loop.time() >= slice_end:
                    return True
        return False

    def close(self) -> None:
        """Give the descriptors back."""
        self.spare_descriptors.close()
