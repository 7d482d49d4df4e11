"""The state of the agent's stop: which command a signal means, given earlier ones, and the deadline of the workers."""

import math
import time

from ..control_pipe import KILL, STOP
from ..stop_signals import KILL_SIGNAL, REPEAT_AFTER_SECONDS, REPEATABLE_STOP_SIGNALS

KILL_STOP_SECONDS = 10.0
"""A worker that does not exit within this time after KILL is killed."""


class StopPlan:
    """Tracks the commands to stop; times are monotonic seconds."""

    def __init__(self, stop_seconds: float) -> None:
        """Start without a stop; after STOP, workers have `stop_seconds` to exit."""
        self._stop_seconds = stop_seconds
        self._begun_at = math.inf
        self._kill_ordered = False
        self.kill_at = math.inf
        """The time at which workers that have not exited are killed."""

    @property
    def begun(self) -> bool:
        """Whether the agent is being stopped."""
        return self._begun_at != math.inf

    def command(self, number: int) -> bytes | None:
        """Return the command for a stop signal, None if it changes nothing."""
        repeated = time.monotonic() >= self._begun_at + REPEAT_AFTER_SECONDS
        immediate = number == KILL_SIGNAL or (repeated and number in REPEATABLE_STOP_SIGNALS)
        if self._kill_ordered or (self.begun and not immediate):
            return None
        return KILL if immediate else STOP

    def begin(self, command: bytes) -> None:
        """Record STOP or KILL."""
        now = time.monotonic()
        self._kill_ordered = command == KILL
        self._begun_at = min(self._begun_at, now)
        self.kill_at = min(self.kill_at, now + (KILL_STOP_SECONDS if self._kill_ordered else self._stop_seconds))
