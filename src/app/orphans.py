"""What dead workers have left behind: swept by their supervisor, a slice at a time, until it has been seen dead."""

import time
from collections.abc import Iterator

import structlog

from ..adapters.subprocess.descent import Descent
from ..adapters.subprocess.sighting import CLEAN_WALKS, Sighting

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

SLICE_SECONDS = 0.02
"""Of walking, before the supervisor looks after its workers again."""
PAUSE_SECONDS = 0.005
STUBBORN_SECONDS = 2.0
"""After which it is said what does not die, and the walks become rare."""
STUBBORN_PAUSE_SECONDS = 0.5


class Orphans:
    """Kills every child of this process that is not enrolled in `descent`, from `begin` until none has been seen."""

    def __init__(self, descent: Descent) -> None:
        """Kill nobody yet."""
        self._descent = descent
        # When to walk on; None while there is nothing to look for.
        self._at: float | None = None
        self._stubborn_at = 0.0
        # It has been said that something does not die.
        self._told = False
        self._clean = 0
        self._killed: set[int] = set()
        self._sighting = Sighting()
        self._walk: Iterator[None] | None = None

    @property
    def awaited(self) -> bool:
        """Whether something may be left that can be expected to die soon."""
        return self._at is not None and not self._told

    def patience(self, seconds: float) -> float:
        """Return how long nothing has to be done here, `seconds` at most."""
        return seconds if self._at is None else min(seconds, max(0.0, self._at - time.monotonic()))

    def begin(self) -> None:
        """Sweep: a worker has died."""
        self._at = time.monotonic()
        self._stubborn_at = self._at + STUBBORN_SECONDS
        self._told = False
        self._clean = 0

    def sweep(self) -> None:
        """Walk on, if it is time."""
        now = time.monotonic()
        if self._at is None or now < self._at:
            return
        if self._walk is None:
            self._sighting = Sighting()
            self._walk = self._descent.walk_adopted(self._sighting)
        try:
            for _ in self._walk:
                if time.monotonic() >= now + SLICE_SECONDS:
                    return
        except (OSError, MemoryError) as error:
            # What was not looked at is not gone.
            self._sighting = Sighting(died=True, reason=f"cannot look for it: {error!r}")
        self._walk = None
        self._judge(self._sighting)

    def _judge(self, sighting: Sighting) -> None:
        now = time.monotonic()
        self._killed.update(sighting.alive)
        self._clean = self._clean + 1 if sighting.clean else 0
        if self._clean >= CLEAN_WALKS:
            self._at = None
            if self._killed:
                _log.warning("killed what a dead worker left behind", processes=len(self._killed))
                self._killed.clear()
            return
        if now >= self._stubborn_at and not sighting.clean and not self._told:
            _log.error("some of it does not die; sweeping on", pids=sighting.alive, reason=sighting.reason)
            self._told = True
        self._at = now + (STUBBORN_PAUSE_SECONDS if self._told else PAUSE_SECONDS)
