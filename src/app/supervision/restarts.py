"""When a missing worker is restarted, and when not any more: a shortage may end, repeated exits at the start do not."""

import signal
import time

START_LIMIT_SECONDS = 1.0
START_LIMIT_BURST = 5
"""After this many exits in a row right after the start, SIGKILL not counted, workers are not restarted."""
BACKOFF_SECONDS = 0.05
RETRY_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0


class Restarts:
    """Counts consecutive failures and computes when to try again; times are monotonic seconds."""

    def __init__(self) -> None:
        self.due_at = 0.0
        self._failures = 0
        self._early_exits = 0
        self._crashes = 0

    @property
    def given_up(self) -> bool:
        """Whether workers are not restarted any more."""
        return self._crashes >= START_LIMIT_BURST

    def accepted(self) -> None:
        """Record that a worker accepts connections."""
        self._failures = 0

    def failed(self) -> float:
        """Record that a worker could not be started; return the seconds until the next attempt."""
        pause = min(RETRY_SECONDS * 2.0**self._failures, MAX_PAUSE_SECONDS)
        self._failures += 1
        self.due_at = time.monotonic() + pause
        return pause

    def died(self, started_at: float, status: int) -> None:
        """Record the exit of a worker that accepted connections; `status` is its exit status, -n after signal n."""
        now = time.monotonic()
        early = now - started_at < START_LIMIT_SECONDS
        self._early_exits = self._early_exits + 1 if early else 0
        # SIGKILL comes from outside, mostly when memory is short: no reason to stop restarting.
        self._crashes = self._crashes + (status != -signal.SIGKILL) if early else 0
        self.due_at = now + min(BACKOFF_SECONDS * (2.0 ** min(self._early_exits, 10) - 1), MAX_PAUSE_SECONDS)
