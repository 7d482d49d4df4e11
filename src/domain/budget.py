"""How much of something all tasks together may take."""


class Budget:
    """So many bytes for all together; used from one thread."""

    __slots__ = ("free",)

    def __init__(self, total: int) -> None:
        """Start with `total` bytes free."""
        self.free: int = total

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` bytes; return how many that were."""
        granted = min(wanted, self.free)
        self.free -= granted
        return granted

    def release(self, count: int) -> None:
        """Give bytes back."""
        self.free += count
