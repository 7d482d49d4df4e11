"""Kills the remaining processes of dead workers, in short slices of time, until scans find none of them alive.

The supervisor also adopts processes that no worker has started, above all as process 1 of a container: `docker exec`,
health checks. It reaps them when they exit, and does not kill them: only processes with a mark of a dead worker are
killed.
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
"""How long to scan before the supervisor handles other events again."""
PAUSE_SECONDS = 0.005
STUBBORN_SECONDS = 2.0
"""After this time, processes that do not die are logged, and scans become rare."""
STUBBORN_PAUSE_SECONDS = 0.5
_WORKER, _DEAD_WORKERS = 0, 1
"""The owners that this ProcessTree distinguishes, instead of marks."""


class OrphanReaper:
    """Kills all descendants of this process that have a mark of a dead worker, from `start` until scans find none."""

    def __init__(self) -> None:
        self._tree = ProcessTree(self._owner_of)
        self._slack: TimerSlack | None = timer_slack()
        # The starts of the mark ranges of dead workers.
        self._ranges: set[int] = set()
        # When to continue scanning, in monotonic seconds; None while no scan is needed.
        self._scan_at: float | None = None
        self._stubborn_at = 0.0
        # Whether it has been logged that processes do not die.
        self._reported = False
        self._clean = 0
        self._killed: set[int] = set()
        self._survivors: dict[int, Survivors] = {}
        self._scan: Iterator[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether processes may remain that can be expected to die soon."""
        return self._scan_at is not None and self._clean < CLEAN_SCANS and not self._reported

    def timeout(self, seconds: float) -> float:
        """Return the time until the next scan, `seconds` at most."""
        return seconds if self._scan_at is None else min(seconds, max(0.0, self._scan_at - time.monotonic()))

    def add_worker(self, pid: int) -> None:
        """Register a worker, which is never killed here; `start` or `remove_worker` follows when it has been reaped."""
        self._tree.add(pid, _WORKER)

    def remove_worker(self, pid: int) -> None:
        """Unregister a worker that has stopped in order; processes that its tasks have left running are kept."""
        self._tree.remove(pid)

    def start(self, pid: int, start_of_range: int) -> None:
        """Kill the processes of a worker that has died; its range of marks began at `start_of_range`."""
        self._tree.remove(pid)
        self._ranges.add(start_of_range)
        self._scan_at = time.monotonic()
        self._stubborn_at = self._scan_at + STUBBORN_SECONDS
        self._reported = False
        self._clean = 0

    def reap(self) -> None:
        """Reap exited children at the next `scan`."""
        if self._scan_at is None:
            self._clean = CLEAN_SCANS
        self._scan_at = time.monotonic()

    def scan(self) -> None:
        """Scan for up to SLICE_SECONDS, if it is time to."""
        now = time.monotonic()
        if self._scan_at is None or now < self._scan_at:
            return
        if self._scan is None:
            self._survivors = {}
            self._scan = self._tree.scan(frozenset({_DEAD_WORKERS}), self._survivors)
        try:
            for _ in self._scan:
                if time.monotonic() >= now + SLICE_SECONDS:
                    return
        except (OSError, MemoryError) as error:
            # Processes that could not be checked may still be alive.
            self._survivors[_DEAD_WORKERS] = Survivors(inconclusive=True, reason=f"cannot look for it: {error!r}")
        self._scan = None
        self._update(self._survivors.get(_DEAD_WORKERS, Survivors()))

    def _owner_of(self, pid: int) -> int | None:
        mark = procfs.mark(pid)
        if mark and range_start(mark) in self._ranges:
            return _DEAD_WORKERS
        if self._ranges and self._slack is not None and self._slack.second_mark(pid):
            return _DEAD_WORKERS
        return None if mark is None else procfs.STRAY

    def _update(self, survivors: Survivors) -> None:
        now = time.monotonic()
        self._killed.update(survivors.found_alive)
        self._clean = self._clean + 1 if survivors.clean else 0
        if self._clean >= CLEAN_SCANS:
            self._scan_at = None
            if self._killed:
                _log.warning("killed the remaining processes of a dead worker", processes=len(self._killed))
                self._killed.clear()
            return
        if now >= self._stubborn_at and not survivors.clean and not self._reported:
            _log.error(
                "remaining processes of a dead worker do not die; trying again",
                pids=survivors.found_alive,
                reason=survivors.reason,
            )
            self._reported = True
        self._scan_at = now + (STUBBORN_PAUSE_SECONDS if self._reported else PAUSE_SECONDS)
