"""Clients on their way out: not served any more, so they hold no place among those who are, and are bounded apart."""

from typing import Protocol

CLOSE_SECONDS = 1.0
"""How long a client that was told the end may take to close its side. Closing at once, with bytes of its unread, would
make the kernel reset the connection and throw away what was sent last."""
DISCARD_BYTES = 64 * 1024
"""What is read of such a client meanwhile and thrown away. Past it reading is paused; the reset is its own doing."""
MAX_CLOSING = 256
"""How many there are at most, so that they take few descriptors however fast they come. As many clients that connect
again as soon as they are closed can do so once in CLOSE_SECONDS each, not faster."""
MANY = MAX_CLOSING // 4


class Abortable(Protocol):
    """A client that was told the end and has not closed its side yet."""

    def abort(self) -> None:
        """Close now; calls nobody back."""
        ...


class ClosingClients:
    """At most `limit` of them: past it the oldest is closed at once, which has had the longest time to read its answer.

    Closing the newest instead would let a client that does not close keep all others from being told anything.
    """

    __slots__ = ("_limit", "_order")

    def __init__(self, limit: int = MAX_CLOSING) -> None:
        self._limit = limit
        # In the order of their coming; the values mean nothing.
        self._order: dict[Abortable, None] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._order)

    @property
    def are_many(self) -> bool:
        """Whether so many come that those who are served should not wait for bursts of them."""
        return len(self._order) > MANY

    def add(self, departing: Abortable) -> None:
        """Take one in; who adds it has its `abort` called at most once, and removes it when it has closed by itself."""
        self._order[departing] = None
        if len(self._order) > self._limit:
            self._abort(next(iter(self._order)))

    def remove(self, departing: Abortable) -> None:
        """Forget one that has disconnected, or that was never here."""
        self._order.pop(departing, None)

    def abort_all(self) -> None:
        """Close them all now."""
        while self._order:
            self._abort(next(iter(self._order)))

    def _abort(self, departing: Abortable) -> None:
        del self._order[departing]
        departing.abort()
