"""The states of a connection, from the first byte to the end-of-file that the agent sends."""

from enum import IntEnum, auto


class State(IntEnum):
    """How far a connection has come; it never goes back."""

    OPEN = auto()
    DRAINING = auto()
    """It is closed once nothing is owed; requests that come until then are still taken."""
    CLOSING = auto()
    """Nothing more is taken; what is owed is answered."""
    EOF_SENT = auto()
    """Everything was answered, and the client has been told that there is no more."""
