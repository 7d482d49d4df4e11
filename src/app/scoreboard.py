"""What each worker has in hand, in memory that outlives it: so that its end can be told with what went with it."""

import mmap
from typing import Final

RUNNING, CLIENTS = 0, 1
"""Columns: how many tasks run, how many clients are connected."""
_COLUMNS = 2
_NUMBER: Final = "Q"
_NUMBER_BYTES = 8


def unshared_row() -> memoryview:
    """Return a row that nobody else sees."""
    return memoryview(bytearray(_COLUMNS * _NUMBER_BYTES)).cast(_NUMBER)


class Scoreboard:
    """A row of numbers for each of `workers` processes, which it alone writes; shared with what is forked (mmap(2)).

    Writing a number is no call, so that it costs a task next to nothing.
    """

    def __init__(self, workers: int) -> None:
        self._numbers: memoryview = memoryview(mmap.mmap(-1, workers * _COLUMNS * _NUMBER_BYTES)).cast(_NUMBER)
        self._free = list(range(workers))
        self._mine = 0

    def claim(self) -> int:
        """Take a free row, clear it and make it that of the next process that is forked."""
        self._mine = self._free.pop()
        self.mine[RUNNING] = self.mine[CLIENTS] = 0
        return self._mine

    def release(self, row: int) -> tuple[int, int]:
        """Give a row back; return how many tasks and clients its worker had at its end."""
        self._free.append(row)
        numbers = self._row(row)
        return numbers[RUNNING], numbers[CLIENTS]

    @property
    def mine(self) -> memoryview:
        """The row of this process, in one that was forked."""
        return self._row(self._mine)

    def _row(self, row: int) -> memoryview:
        return self._numbers[row * _COLUMNS : (row + 1) * _COLUMNS]
