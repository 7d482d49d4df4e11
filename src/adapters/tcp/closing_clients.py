"""Clients that are being closed: they do not count as connected clients, and have a limit of their own."""

from typing import Protocol

CLOSE_SECONDS = 1.0
"""How long a client may take to close its side after the agent's end-of-file. Closing at once, with unread bytes, would
make the kernel reset the connection and drop what was sent last."""
DISCARD_BYTES = 64 * 1024
"""How much is read from such a client and discarded. Past it reading is paused, and the client risks a reset."""
MAX_CLOSING = 256
"""Limit of closing clients, so that they use few descriptors at any rate of connections. As many clients that reconnect
as soon as they are closed can do so once in CLOSE_SECONDS each, not faster."""
MANY = MAX_CLOSING // 4


class Abortable(Protocol):
    """A client that has been sent everything and has not closed its side yet."""

    def abort(self) -> None:
        """Close now; calls no callback."""
        ...


class ClosingClients:
    """A set of at most `limit` clients: past it the oldest, which has had the longest time to read, is closed at once.

    If the newest were closed instead, clients that do not close could keep all others from reading their answer.
    """

    __slots__ = ("_clients", "_limit")

    def __init__(self, limit: int = MAX_CLOSING) -> None:
        self._limit = limit
        # An ordered set, oldest first.
        self._clients: dict[Abortable, None] = {}

    def __len__(self) -> int:
        """Return the number of closing clients."""
        return len(self._clients)

    @property
    def are_many(self) -> bool:
        """Whether there are so many that the server should accept fewer per wake-up, for the sake of served clients."""
        return len(self._clients) > MANY

    def add(self, client: Abortable) -> None:
        """Add a client; `abort` is called at most once, and the caller removes a client that has closed by itself."""
        self._clients[client] = None
        if len(self._clients) > self._limit:
            self._abort(next(iter(self._clients)))

    def remove(self, client: Abortable) -> None:
        """Remove a client, if it is in the set."""
        self._clients.pop(client, None)

    def abort_all(self) -> None:
        """Close all of them now."""
        while self._clients:
            self._abort(next(iter(self._clients)))

    def _abort(self, client: Abortable) -> None:
        del self._clients[client]
        client.abort()
