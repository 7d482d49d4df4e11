"""The memory budget of the agent, as one worker sees it, and which of its clients have to wait when it is used up.

Half of the budget is common: it is granted in the order of requests. The other half is reserved for shares, one for
each holder, so that holders of much memory leave enough for all others. Bytes are counted as they really are in memory,
as far as that is known.
"""

from collections.abc import Callable

from .budget import Budget

LEAST_SHARE_BYTES = 256 * 1024


class MemoryBudget(Budget):
    """Counts bytes; not thread-safe. `free` is the rest of the common half, below 0 when more than that is in use.

    When it is used up, holders of no more than `share` bytes continue. All others wait for memory, and `on_pressure`
    requests that they release some.
    """

    __slots__ = ("_common", "_excess_ended", "_holders", "_other_holders", "share", "waiting")

    def __init__(self, total: int) -> None:
        """Start with `total` bytes, all of them free."""
        self._common = total // 2
        super().__init__(self._common)
        self._holders: set[MemoryHolder] = set()
        # Of other workers, which have their shares of the same half.
        self._other_holders = 0
        self.share = max(self._common, LEAST_SHARE_BYTES)
        # Returns whether the excess that `let_past` has last granted has ended.
        self._excess_ended: Callable[[], bool] | None = None
        # The callbacks to call when something is free; an ordered set.
        self.waiting: dict[Callable[[], None], None] = {}

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` of the free bytes; return how many were taken."""
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
        """Call `callback` once, when something is free again; earlier callbacks may have used it up by then."""
        self.waiting[callback] = None
        self.relieve()

    def forget(self, callback: Callable[[], None]) -> None:
        """Cancel `wait`."""
        self.waiting.pop(callback, None)

    def let_past(self, is_through: Callable[[], bool]) -> bool:
        """Return whether the caller may exceed the budget: one caller at a time, until `is_through` returns True.

        Otherwise waiting holders could use up the budget with the bytes that they hold while they wait: a deadlock.
        """
        if self._excess_ended is not None and not self._excess_ended():
            return False
        self._excess_ended = is_through
        return True

    def wake(self) -> None:
        """Call the waiting callbacks if something is free; else the first one, if the last granted excess has ended."""
        if self.free > 0:
            waiting, self.waiting = self.waiting, {}
            for callback in waiting:
                callback()
        elif self.waiting and self._excess_ended is not None and self._excess_ended():
            callback = next(iter(self.waiting))
            del self.waiting[callback]
            callback()

    def relieve(self) -> None:
        """Call `on_pressure` of each holder of more than its share."""
        for holder in self._holders:
            if holder.charged > self.share:
                holder.on_pressure()

    def enter(self, holder: "MemoryHolder") -> None:
        """Register a holder: the shares get smaller."""
        self._holders.add(holder)
        self._divide()

    def leave(self, holder: "MemoryHolder") -> None:
        """Unregister a holder: the shares get larger."""
        self._holders.discard(holder)
        self._divide()

    @property
    def holders(self) -> int:
        """How many holders there are, without other workers."""
        return len(self._holders)

    def subtract_others(self, used: int, holders: int = 0) -> None:
        """Take note of how many bytes and holders other workers have."""
        super().subtract_others(used)
        if holders != self._other_holders:
            self._other_holders = holders
            self._divide()
        if self.waiting:
            self.wake()
        if self.free <= 0:
            # It may be the others who wait.
            self.relieve()

    def _divide(self) -> None:
        self.share = max(self._common // max(len(self._holders) + self._other_holders, 1), LEAST_SHARE_BYTES)


class MemoryHolder:
    """The memory of one client: `charged` bytes. `on_pressure` is called when that is too much, to release some."""

    __slots__ = ("budget", "charged", "on_pressure")

    def __init__(self, budget: MemoryBudget, on_pressure: Callable[[], None]) -> None:
        self.budget = budget
        self.charged = 0
        self.on_pressure = on_pressure
        budget.enter(self)

    @property
    def must_wait(self) -> bool:
        """Whether it holds more than is allowed at present, so that it has to wait."""
        return self.budget.free <= 0 and self.charged > self.budget.share

    def charge(self, count: int) -> None:
        """Add `count` bytes to what is held; a negative count releases."""
        self.charged += count
        self.budget.release(-count)

    def close(self) -> None:
        """Give up the share; what is still held stays counted until it is released."""
        self.budget.leave(self)
        # The callback's object may refer to this one, which would be a reference cycle.
        self.on_pressure = _nothing


def _nothing() -> None:
    return
