"""The Clock port, implemented by the clocks of the system."""

import time


class SystemClock:
    """CLOCK_REALTIME and CLOCK_MONOTONIC (clock_gettime(2))."""

    # The functions themselves instead of methods that call them: they are called for every task.
    unix_seconds = staticmethod(time.time)
    monotonic_seconds = staticmethod(time.monotonic)
