from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from execwire.adapters.rate_limited_log import RateLimitedLog
from execwire.testing import FakeClock

INTERVAL_SECONDS = 10.0


class FakeTimers:
    """A call_later for a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, Callable[[], object]]] = []

    def call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        self._due.append((self._clock.monotonic + seconds, callback))

    def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)
        for timer in [timer for timer in self._due if timer[0] <= self._clock.monotonic]:
            self._due.remove(timer)
            timer[1]()


def written(logs: list[Any]) -> list[tuple[object, int]]:
    """Return for each line its number and its count of suppressed warnings."""
    assert {(log["event"], log["log_level"]) for log in logs} <= {("it happened", "warning")}
    return [(log["number"], log.get("suppressed", 0)) for log in logs]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def limited(clock: FakeClock, timers: FakeTimers | None = None) -> RateLimitedLog:
    call_later = timers.call_later if timers else None
    return RateLimitedLog("it happened", clock.monotonic_seconds, call_later, INTERVAL_SECONDS)


def test_first_warning_is_logged_at_once_and_others_are_counted_until_the_interval_ends(
    clock: FakeClock,
) -> None:
    timers = FakeTimers(clock)
    log = limited(clock, timers)
    with capture_logs() as logs:
        for number in range(1000):
            log.warning(number=number)
        assert written(logs) == [(0, 0)]
        timers.advance(INTERVAL_SECONDS)
        assert written(logs) == [(0, 0), (999, 998)]
        timers.advance(INTERVAL_SECONDS)
        assert len(logs) == 2


def test_constant_warnings_are_logged_once_per_interval(clock: FakeClock) -> None:
    timers = FakeTimers(clock)
    log = limited(clock, timers)
    with capture_logs() as logs:
        for number in range(100):
            log.warning(number=number)
            timers.advance(1.0)
        log.flush()
    assert len(logs) == 1 + 100 // INTERVAL_SECONDS
    assert sum(1 + suppressed for _, suppressed in written(logs)) == 100


def test_warning_after_the_interval_is_logged_at_once(clock: FakeClock) -> None:
    log = limited(clock)
    with capture_logs() as logs:
        log.warning(number=1)
        clock.advance(INTERVAL_SECONDS)
        log.warning(number=2)
    assert written(logs) == [(1, 0), (2, 0)]


def test_count_is_logged_with_the_next_line_without_timers(clock: FakeClock) -> None:
    log = limited(clock)
    with capture_logs() as logs:
        for number in range(5):
            log.warning(number=number)
        clock.advance(INTERVAL_SECONDS)
        log.warning(number=5)
    assert written(logs) == [(0, 0), (5, 4)]


def test_flush_logs_counted_warnings_before_the_interval_ends(clock: FakeClock) -> None:
    log = limited(clock)
    with capture_logs() as logs:
        log.flush()
        for number in range(3):
            log.warning(number=number)
        log.flush()
        log.flush()
    assert written(logs) == [(0, 0), (2, 1)]
