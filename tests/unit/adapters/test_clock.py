import time
from itertools import pairwise

from execwire.adapters.clock import SystemClock
from execwire.domain.ports.clock import Clock


def test_wall_clock_is_unix_time() -> None:
    clock: Clock = SystemClock()
    before = time.time()
    assert before <= clock.unix_seconds() <= time.time()


def test_monotonic_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic_seconds() for _ in range(1000)]
    assert all(earlier <= later for earlier, later in pairwise(readings))


def test_monotonic_time_is_not_wall_clock_time() -> None:
    # Hazard 30: setting the wall clock must not change it, so it has to be the kernel's monotonic clock.
    clock: Clock = SystemClock()
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert before <= clock.monotonic_seconds() <= time.clock_gettime(time.CLOCK_MONOTONIC)
