"""Descriptors that are kept for clearing up: what has to be killed is found even when all others have been taken."""

import contextlib
import os
from typing import Self

from . import procfs

COUNT = procfs.MAX_OPEN + 1
"""What a walk has open at most: a pidfd, and what is read meanwhile."""


class SpareDescriptors:
    """Inside of `with` there are SIZE descriptors to be had; for what does not await, as others would take them."""

    def __init__(self) -> None:
        """Take them; raises OSError where that is too many already."""
        self._held: list[int] = []
        self._fill()

    def __enter__(self) -> Self:
        """Let go of them."""
        self.close()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Take them back; what is not to be had now, is tried for next time."""
        with contextlib.suppress(OSError, MemoryError):
            self._fill()

    def close(self) -> None:
        """Hold none."""
        while self._held:
            os.close(self._held.pop())

    def _fill(self) -> None:
        while len(self._held) < COUNT:
            descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._held.append(descriptor)
            except MemoryError:
                os.close(descriptor)
                raise
