"""When a missing worker is started again, and when no longer: a shortage passes, a crash at every start does not."""

import signal
import time

START_LIMIT_SECONDS = 1.0
START_LIMIT_BURST = 5
"""So many workers in a row that crashed right after their start are no accident."""
BACKOFF_SECONDS = 0.05
RETRY_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0


class Restarts:
    """Counts what went wrong in a row and says when to try again; times are monotonic seconds."""

    def __init__(self) -> None:
        self.due_at = 0.0
        self._failures = 0
        self._young_deaths = 0
        self._crashes = 0

    @property
    def given_up(self) -> bool:
        """Whether there is no point in another attempt."""
        return self._crashes >= START_LIMIT_BURST

    def accepted(self) -> None:
        """Take note of a worker that serves."""
        self._failures = 0

    def failed(self) -> float:
        """Take note of a worker that could not be started; return after how many seconds to try again."""
        pause = min(RETRY_SECONDS * 2.0**self._failures, MAX_PAUSE_SECONDS)
        self._failures += 1
        self.due_at = time.monotonic() + pause
        return pause

    def died(self, started_at: float, status: int) -> None:
        """Take note of the end of a worker that served; `status` is its exit status, -n after signal n."""
        now = time.monotonic()
        young = now - started_at < START_LIMIT_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        # SIGKILL comes from outside, most of all where memory is short: no reason to stop serving for good.
        self._crashes = self._crashes + (status != -signal.SIGKILL) if young else 0
        self.due_at = now + min(BACKOFF_SECONDS * (2.0 ** min(self._young_deaths, 10) - 1), MAX_PAUSE_SECONDS)
