"""How many tasks and clients each worker has, in shared memory, so that the log can name them when a worker dies."""

import mmap
from typing import Final

RUNNING, CLIENTS = 0, 1
"""Columns: the number of running tasks and of connected clients."""
_COLUMNS = 2
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
        self._numbers: memoryview = memoryview(mmap.mmap(-1, workers * _COLUMNS * _NUMBER_BYTES)).cast(_NUMBER)
        self._free = list(range(workers))
        self._mine = 0

    def claim(self) -> int:
        """Take a free row, clear it, and assign it to the next process that is forked."""
        self._mine = self._free.pop()
        self.mine[RUNNING] = self.mine[CLIENTS] = 0
        return self._mine

    def release(self, row: int) -> tuple[int, int]:
        """Free a row; return how many tasks and clients its worker had when it ended."""
        self._free.append(row)
        numbers = self._row(row)
        return numbers[RUNNING], numbers[CLIENTS]

    @property
    def mine(self) -> memoryview:
        """The row of this process, in a forked process."""
        return self._row(self._mine)

    def _row(self, row: int) -> memoryview:
        return self._numbers[row * _COLUMNS : (row + 1) * _COLUMNS]
