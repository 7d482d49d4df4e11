"""Reserved descriptors, so that processes can be found and killed when all other descriptors are in use."""

import contextlib
import os
from typing import Self

from . import procfs

COUNT = procfs.MAX_OPEN + 1
"""How many a scan has open at most: a pidfd, and a file that is read meanwhile."""


class SpareDescriptors:
    """Frees COUNT descriptors inside `with`, whose body must not await: other code would use them."""

    def __init__(self) -> None:
        """Open them; raises OSError if the system has too few."""
        self._reserved: list[int] = []
        self._fill()

    def __enter__(self) -> Self:
        """Close the reserved descriptors."""
        self.close()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Open them again; those that cannot be opened now are opened the next time."""
        with contextlib.suppress(OSError, MemoryError):
            self._fill()

    def close(self) -> None:
        """Close all of them."""
        while self._reserved:
            os.close(self._reserved.pop())

    def _fill(self) -> None:
        while len(self._reserved) < COUNT:
            descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._reserved.append(descriptor)
            except MemoryError:
                os.close(descriptor)
                raise
