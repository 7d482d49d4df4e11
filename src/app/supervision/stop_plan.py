"""How the agent is being stopped: what signals ask for, given those before, and until when workers have to end."""

import math
import time

from ..control_pipe import KILL, STOP
from ..stop_signals import KILL_SIGNAL, REPEAT_AFTER_SECONDS, REPEATABLE_STOP_SIGNALS

KILL_STOP_SECONDS = 10.0
"""In which a worker ends once what runs is to be killed, or it is killed itself."""


class StopPlan:
    """Takes note of orders to stop; times are monotonic seconds."""

    def __init__(self, stop_seconds: float) -> None:
        """Go on until told otherwise; workers then get `stop_seconds`."""
        self._stop_seconds = stop_seconds
        self._begun_at = math.inf
        self._killed = False
        self.kill_at = math.inf
        """When workers that have not ended by then are killed."""

    @property
    def begun(self) -> bool:
        """Whether the agent is being stopped."""
        return self._begun_at != math.inf

    def command(self, number: int) -> bytes | None:
        """Return what a stop signal asks for, None if it is nothing new."""
        late = time.monotonic() >= self._begun_at + REPEAT_AFTER_SECONDS
        hurry = number == KILL_SIGNAL or (late and number in REPEATABLE_STOP_SIGNALS)
        if self._killed or (self.begun and not hurry):
            return None
        return KILL if hurry else STOP

    def begin(self, order: bytes) -> None:
        """Take note of STOP or KILL."""
        now = time.monotonic()
        self._killed = order == KILL
        self._begun_at = min(self._begun_at, now)
        self.kill_at = min(self.kill_at, now + (KILL_STOP_SECONDS if self._killed else self._stop_seconds))
