"""What dead workers have left behind: swept by their supervisor, a slice at a time, until it has been seen dead.

The supervisor is also given what no worker has started, above all as process 1 of a container: `docker exec`, health
checks. That is reaped when it ends, and otherwise left alone: killed is only what bears a mark of a dead worker.
"""

import time
from collections.abc import Iterator

import structlog

from ...adapters.linux import procfs
from ...adapters.linux.marks import range_start
from ...adapters.linux.process_tree import ProcessTree
from ...adapters.linux.survivors import CLEAN_SCANS, Survivors
from ...adapters.linux.timer_slack import TimerSlack, timer_slack

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

SLICE_SECONDS = 0.02
"""Of walking, before the supervisor looks after its workers again."""
PAUSE_SECONDS = 0.005
STUBBORN_SECONDS = 2.0
"""After which it is said what does not die, and the walks become rare."""
STUBBORN_PAUSE_SECONDS = 0.5
_WORKER, _ORPHAN = 0, 1
"""What stands for a mark here."""


class OrphanReaper:
    """Kills every child of this process that bears a mark of a dead worker, from `begin` until none has been seen."""

    def __init__(self) -> None:
        self._tree = ProcessTree(self._whose)
        self._slack: TimerSlack | None = timer_slack()
        # The ranges of marks of the workers that have died.
        self._ranges: set[int] = set()
        # When to walk on; None while there is nothing to look for.
        self._at: float | None = None
        self._stubborn_at = 0.0
        # It has been said that something does not die.
        self._reported = False
        self._clean = 0
        self._killed: set[int] = set()
        self._sightings: dict[int, Survivors] = {}
        self._scan: Iterator[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether something may be left that can be expected to die soon."""
        return self._at is not None and self._clean < CLEAN_SCANS and not self._reported

    def timeout(self, seconds: float) -> float:
        """Return how long nothing has to be done here, `seconds` at most."""
        return seconds if self._at is None else min(seconds, max(0.0, self._at - time.monotonic()))

    def add_worker(self, pid: int) -> None:
        """Leave a child alone, whatever it bears: `begin` or `remove_worker` says when it has been reaped."""
        self._tree.add(pid, _WORKER)

    def remove_worker(self, pid: int) -> None:
        """Forget a worker that has ended in good order; what its tasks have left on purpose stays."""
        self._tree.remove(pid)

    def start(self, pid: int, marks: int) -> None:
        """Sweep: a worker has died, whose range of marks began at `marks`."""
        self._tree.remove(pid)
        self._ranges.add(marks)
        self._at = time.monotonic()
        self._stubborn_at = self._at + STUBBORN_SECONDS
        self._reported = False
        self._clean = 0

    def reap(self) -> None:
        """Look soon which children have ended."""
        if self._at is None:
            self._clean = CLEAN_SCANS
        self._at = time.monotonic()

    def scan(self) -> None:
        """Walk on, if it is time."""
        now = time.monotonic()
        if self._at is None or now < self._at:
            return
        if self._scan is None:
            self._sightings = {}
            self._scan = self._tree.scan(frozenset({_ORPHAN}), self._sightings)
        try:
            for _ in self._scan:
                if time.monotonic() >= now + SLICE_SECONDS:
                    return
        except (OSError, MemoryError) as error:
            # What was not looked at is not gone.
            self._sightings[_ORPHAN] = Survivors(reaped_any=True, reason=f"cannot look for it: {error!r}")
        self._scan = None
        self._update(self._sightings.get(_ORPHAN, Survivors()))

    def _whose(self, pid: int) -> int | None:
        mark = procfs.mark(pid)
        if mark and range_start(mark) in self._ranges:
            return _ORPHAN
        if self._ranges and self._slack is not None and self._slack.number(pid):
            return _ORPHAN
        return None if mark is None else procfs.STRAY

    def _update(self, survivors: Survivors) -> None:
        now = time.monotonic()
        self._killed.update(survivors.alive)
        self._clean = self._clean + 1 if survivors.clean else 0
        if self._clean >= CLEAN_SCANS:
            self._at = None
            if self._killed:
                _log.warning("killed the remaining processes of a dead worker", processes=len(self._killed))
                self._killed.clear()
            return
        if now >= self._stubborn_at and not survivors.clean and not self._reported:
            _log.error(
                "remaining processes of a dead worker do not die; trying again",
                pids=survivors.alive,
                reason=survivors.reason,
            )
            self._reported = True
        self._at = now + (STUBBORN_PAUSE_SECONDS if self._reported else PAUSE_SECONDS)
