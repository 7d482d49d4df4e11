"""The states of a connection, from open to closed."""

from enum import IntEnum, auto


class State(IntEnum):
    """The state of a connection; it only ever increases."""

    OPEN = auto()
    STOPPING = auto()
    """It is closed once no request is in flight; requests that arrive until then are still served."""
    CLOSING = auto()
    """No more requests are read; those in flight are answered."""
    CLOSED = auto()
    """All requests are answered, and the sending side is closed; or the connection is lost."""
