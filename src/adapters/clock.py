"""The system's clocks behind the Clock port; nothing else reads them."""

import time


class SystemClock:
    """CLOCK_REALTIME and CLOCK_MONOTONIC (clock_gettime(2))."""

    def unix_seconds(self) -> float:
        """Wall-clock time, seconds since 1970."""
        return time.time()

    def monotonic_seconds(self) -> float:
        """Seconds since some fixed moment, whatever is done to the wall clock."""
        return time.monotonic()
