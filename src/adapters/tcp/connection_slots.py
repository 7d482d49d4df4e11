"""How many connections there may be, of this process or of several that share the limit, and which of them accepts."""

from typing import Protocol


class ConnectionSlots(Protocol):
    """The slots of `max_connections`, each taken by one connection."""

    def take(self) -> bool:
        """Take a slot; return False if none is free."""
        ...

    def give(self) -> None:
        """Give a slot back."""
        ...

    def is_full(self) -> bool:
        """Whether no slot is free; if False, `take` may succeed in a moment although it has just failed."""
        ...

    def others_first(self, pending: int) -> bool:
        """Whether another process that accepts on the same socket has clearly fewer connections than this one.

        `pending` connections have been accepted here and have no slot yet.
        """
        ...


class LocalConnectionSlots:
    """Slots that no other process has a part of."""

    __slots__ = ("_free",)

    def __init__(self, total: int) -> None:
        self._free = total

    def take(self) -> bool:
        """Take a slot; return False if none is free."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def give(self) -> None:
        """Give a slot back."""
        self._free += 1

    def is_full(self) -> bool:
        """Whether no slot is free."""
        return self._free <= 0

    def others_first(self, pending: int) -> bool:  # noqa: ARG002 -- the signature of ConnectionSlots
        """No: there is no other process."""
        return False
