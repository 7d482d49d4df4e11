"""Where every time stamp comes from."""

from typing import Protocol


class Clock(Protocol):
    """Where every time stamp comes from, so that tests decide what time it is."""

    def unix_seconds(self) -> float:
        """Wall-clock time, seconds since 1970; may jump."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds since some fixed moment; never goes back, whatever is done to the wall clock."""
        ...
