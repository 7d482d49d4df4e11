"""The system's clocks behind the Clock port; nothing else reads them."""

import time


class SystemClock:
    """CLOCK_REALTIME and CLOCK_MONOTONIC (clock_gettime(2)), as the Clock port says."""

    # Not methods that call them: these are called for every task.
    unix_seconds = staticmethod(time.time)
    monotonic_seconds = staticmethod(time.monotonic)
