"""Makes the number of free slots right again after a worker has died, whatever it was doing at that moment."""

import os
import time
from collections.abc import Sequence

from ..scoreboard import PHASE, SLOTS
from ..shared_slots import Semaphore

QUIET_SECONDS = 0.1
"""How long it is waited for living workers to be between two steps, which take microseconds, unless one is stopped."""
PAUSE_SECONDS = 0.0002


def repair(semaphores: Sequence[Semaphore], living: Sequence[memoryview]) -> bool:
    """Let exactly as many units be free as the rows of living workers leave; return whether that is certain.

    All free units are taken, and those that workers give back meanwhile, until a whole pass has seen no change. If a
    living worker is stopped between two steps, one unit of each semaphore too few is free until this is called again.
    """
    for semaphore in semaphores:
        _drain(semaphore)
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        before = _held(semaphores, living)
        drained = sum([_drain(semaphore) for semaphore in semaphores])
        between = sum(row[PHASE] % 2 for row in living)
        quiet = not drained and not between and before == _held(semaphores, living)
        if quiet or (not drained and time.monotonic() >= deadline):
            # By what was seen: what workers give back since then adds to the free units by itself.
            for number, semaphore in enumerate(semaphores):
                held = sum(row[number + 1] for row in before) + between
                if held < semaphore.total:
                    os.eventfd_write(semaphore.descriptor, semaphore.total - held)
            return quiet
        if not drained:
            time.sleep(PAUSE_SECONDS)


def _held(semaphores: Sequence[Semaphore], living: Sequence[memoryview]) -> list[tuple[int, ...]]:
    """Return, for each living worker, its phase and what it holds of each semaphore."""
    return [(row[PHASE], *(row[semaphore.column] for semaphore in semaphores)) for row in living]


def _drain(semaphore: Semaphore) -> int:
    drained = 0
    try:
        while True:
            os.eventfd_read(semaphore.descriptor)
            drained += 1
    except BlockingIOError:
        return drained


class SlotRepair:
    """Gives back what dead workers held; the slots of tasks only when the processes of those tasks are dead."""

    def __init__(self, semaphores: Sequence[Semaphore]) -> None:
        self._semaphores = semaphores
        # Those of which a dead worker may have held units that have not been given back.
        self._due: list[Semaphore] = []

    @property
    def due(self) -> bool:
        """Whether something is still to be given back."""
        return bool(self._due)

    def on_death(self) -> None:
        """Take note of the death of a worker."""
        self._due = list(self._semaphores)

    def run(self, living: Sequence[memoryview], *, tasks_are_dead: bool) -> None:
        """Repair what is due; `living` are the rows of the living workers."""
        now = [each for each in self._due if each.column != SLOTS or tasks_are_dead]
        if now and repair(now, living):
            self._due = [each for each in self._due if each not in now]
