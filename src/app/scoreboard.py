"""Numbers of each worker in shared memory: what it has, what it waits for, and whether it is alive.

They outlive a worker, whatever ends it. They let the log name what a dead worker had, and let workers share limits.
"""

import mmap
from typing import Final

(RUNNING, CLIENTS, SLOTS, CONNECTION_SLOTS, QUEUED, WAITING, PHASE, BEAT, SPOOL, MEMORY, HOLDERS, ACCEPTING) = range(12)
"""Columns.

RUNNING, CLIENTS, QUEUED: tasks that run, connected clients, tasks in the queue. SLOTS, CONNECTION_SLOTS: how many slots
of tasks and of connections it holds of those that all workers share; PHASE: see SharedSlots. WAITING: 1 while the queue
waits for a slot. BEAT: milliseconds on the monotonic clock, of the last heartbeat. SPOOL, MEMORY, HOLDERS: bytes in use
and holders of memory, at the last heartbeat. ACCEPTING: 1 once it accepts connections.
"""
_COLUMNS = 12
_NUMBER: Final = "Q"
_NUMBER_BYTES = 8


def unshared_row() -> memoryview:
    """Return a row that is not shared."""
    return memoryview(bytearray(_COLUMNS * _NUMBER_BYTES)).cast(_NUMBER)


class Scoreboard:
    """A row of numbers for each of `workers` processes, written only by that process; shared with its parent (mmap(2)).

    Writing a number calls no function, so that it costs a task next to nothing.
    """

    def __init__(self, workers: int) -> None:
        numbers: memoryview = memoryview(mmap.mmap(-1, workers * _COLUMNS * _NUMBER_BYTES)).cast(_NUMBER)
        self.rows = [numbers[row * _COLUMNS : (row + 1) * _COLUMNS] for row in range(workers)]
        self._free = list(range(workers))
        self._mine = 0

    def claim(self) -> int:
        """Take a free row and assign it to the next process that is forked."""
        self._mine = self._free.pop()
        return self._mine

    def release(self, row: int) -> tuple[int, int]:
        """Free a row and clear it; return how many tasks and clients its worker had when it ended."""
        self._free.append(row)
        numbers = self.rows[row]
        had = numbers[RUNNING], numbers[CLIENTS]
        for column in range(_COLUMNS):
            numbers[column] = 0
        return had

    @property
    def mine(self) -> memoryview:
        """The row of this process, in a forked process."""
        return self.rows[self._mine]

    @property
    def others(self) -> list[memoryview]:
        """The rows of the other workers, in a forked process."""
        return [row for number, row in enumerate(self.rows) if number != self._mine]
