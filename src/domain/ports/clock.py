"""The port for reading the time."""

from typing import Protocol


class Clock(Protocol):
    """The source of all time stamps, so that tests can set the time."""

    def unix_seconds(self) -> float:
        """Wall-clock time, seconds since 1970; may jump."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds since some fixed moment; never goes back, even if the wall clock is changed."""
        ...
