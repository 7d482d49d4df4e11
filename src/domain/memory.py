"""What may be held in memory by all together: one budget, and who has to hold back when it is used up.

Half of the budget is common: whoever comes first has it. The other half is kept for shares, one for each holder, so
that those who hold a lot leave enough for all others. Counted are bytes as they really are in memory, as far as that is
known.
"""

from collections.abc import Callable

from .budget import Budget

LEAST_SHARE_BYTES = 256 * 1024


class MemoryBudget(Budget):
    """Counts bytes; used from one thread. `free` is what is left of the common half, below 0 past it.

    Past it whoever holds no more than `share` goes on; all others wait for memory, and are asked to hold less.
    """

    __slots__ = ("_common", "_holders", "_passing", "share", "waiting")

    def __init__(self, total: int) -> None:
        """Start with `total` bytes, of which nobody holds any."""
        self._common = total // 2
        super().__init__(self._common)
        self._holders: set[MemoryHolder] = set()
        self.share = max(self._common, LEAST_SHARE_BYTES)
        # Whether the last one who was let past is through.
        self._passing: Callable[[], bool] | None = None
        # Who waits until something is free; an ordered set.
        self.waiting: dict[Callable[[], None], None] = {}

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` bytes of what is free; return how many that were."""
        granted = max(min(wanted, self.free), 0)
        self.free -= granted
        if granted < wanted:
            self.relieve()
        return granted

    def release(self, count: int) -> None:
        """Give bytes back."""
        self.free += count
        if self.waiting:
            self.wake()

    def wait(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when something is free again; it may find that others were quicker."""
        self.waiting[callback] = None
        self.relieve()

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call it any more."""
        self.waiting.pop(callback, None)

    def let_past(self, is_through: Callable[[], bool]) -> bool:
        """Return whether somebody may go past the budget: one at a time, until `is_through`.

        Otherwise those who wait could use all of it up by that with which they wait, and wait for ever.
        """
        if self._passing is not None and not self._passing():
            return False
        self._passing = is_through
        return True

    def wake(self) -> None:
        """Call those who wait, if something is free; else the first of them, if whoever was let past is through."""
        if self.free > 0:
            waiting, self.waiting = self.waiting, {}
            for callback in waiting:
                callback()
        elif self.waiting and self._passing is not None and self._passing():
            callback = next(iter(self.waiting))
            del self.waiting[callback]
            callback()

    def relieve(self) -> None:
        """Ask those who hold more than their share to hold less."""
        for holder in self._holders:
            if holder.charged > self.share:
                holder.on_pressure()

    def enter(self, holder: "MemoryHolder") -> None:
        """Share with one more."""
        self._holders.add(holder)
        self._divide()

    def leave(self, holder: "MemoryHolder") -> None:
        """Share with one less."""
        self._holders.discard(holder)
        self._divide()

    def _divide(self) -> None:
        self.share = max(self._common // max(len(self._holders), 1), LEAST_SHARE_BYTES)


class MemoryHolder:
    """What one client holds: `held` bytes. `on_pressure` is called when that is too much and it should hold less."""

    __slots__ = ("budget", "charged", "on_pressure")

    def __init__(self, budget: MemoryBudget, on_pressure: Callable[[], None]) -> None:
        self.budget = budget
        self.charged = 0
        self.on_pressure = on_pressure
        budget.enter(self)

    @property
    def must_wait(self) -> bool:
        """Whether it holds more than it may hold now."""
        return self.budget.free <= 0 and self.charged > self.budget.share

    def charge(self, count: int) -> None:
        """Hold `count` bytes more; less, if it is below 0."""
        self.charged += count
        self.budget.release(-count)

    def close(self) -> None:
        """Have no share any more; what is still held stays counted until it is released."""
        self.budget.leave(self)
        # Whoever is told through this may know this: a circle.
        self.on_pressure = _nothing


def _nothing() -> None:
    return
