"""A limit for the total that all tasks together may use."""


class Budget:
    """A number of bytes that all tasks share; not thread-safe."""

    __slots__ = ("free",)

    def __init__(self, total: int) -> None:
        """Start with `total` bytes free."""
        self.free: int = total

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` bytes; return how many were taken."""
        granted = min(wanted, self.free)
        self.free -= granted
        return granted

    def release(self, count: int) -> None:
        """Give bytes back."""
        self.free += count
