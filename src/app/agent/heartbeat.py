"""The heartbeat of a worker: tells the others that it is alive, and what it uses of the budgets that all share."""

import asyncio
import contextlib
from collections.abc import Sequence

from ...domain.budget import Budget
from ...domain.memory import MemoryBudget
from ...domain.ports.clock import Clock
from ..scoreboard import BEAT, HOLDERS, MEMORY, SPOOL

BEAT_SECONDS = 0.03
"""Until then, two workers may both use what is free of a budget."""


class Heartbeat:
    """Writes this worker's `row` and reads `others` every BEAT_SECONDS, from `start` to `stop`."""

    def __init__(
        self,
        row: memoryview,
        others: Sequence[memoryview],
        clock: Clock,
        memory: MemoryBudget,
        spool: Budget | None,
    ) -> None:
        self._row = row
        self._others = others
        self._clock = clock
        self._memory = memory
        self._spool = spool
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat now and from time to time."""
        # First of all: whatever fails below, there is a next time.
        self._timer = asyncio.get_running_loop().call_later(BEAT_SECONDS, self.start)
        with contextlib.suppress(MemoryError):
            self._beat()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        row, memory, spool = self._row, self._memory, self._spool
        row[BEAT] = int(self._clock.monotonic_seconds() * 1000)
        memory_of_others = holders_of_others = spool_of_others = 0
        for other in self._others:
            memory_of_others += other[MEMORY]
            holders_of_others += other[HOLDERS]
            spool_of_others += other[SPOOL]
        row[MEMORY], row[HOLDERS] = max(0, memory.used), memory.holders
        memory.subtract_others(memory_of_others, holders_of_others)
        if spool is not None:
            row[SPOOL] = max(0, spool.used)
            spool.subtract_others(spool_of_others)
