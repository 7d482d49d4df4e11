"""A limit for the total that all tasks together may use."""


class Budget:
    """A number of bytes that all tasks share; not thread-safe.

    Other workers may have the same budget: what they use is subtracted whenever `subtract_others` tells it.
    """

    __slots__ = ("_others", "_total", "free")

    def __init__(self, total: int) -> None:
        """Start with `total` bytes free."""
        self.free: int = total
        self._total = total
        self._others = 0

    @property
    def used(self) -> int:
        """How many bytes are in use here, without other workers."""
        return self._total - self._others - self.free

    def subtract_others(self, used: int) -> None:
        """Take note of how many bytes other workers use; `free` may be below 0 afterwards."""
        self.free += self._others - used
        self._others = used

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` bytes; return how many were taken."""
        granted = max(0, min(wanted, self.free))
        self.free -= granted
        return granted

    def release(self, count: int) -> None:
        """Give bytes back."""
        self.free += count
