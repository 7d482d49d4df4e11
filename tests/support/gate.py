"""Tasks that wait until the test releases them: they wait for a lock that it holds, with flock(1)."""

import fcntl
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from proc import alive_with, eventually


class Gate:
    """Closed at first; once it is open, commands pass without waiting."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def before(self, *command: str) -> list[str]:
        """Return a command that waits at the gate and then becomes `command`."""
        return ["flock", "--shared", str(self.path), *command]

    def waiting(self) -> int:
        return len(alive_with(str(self.path)))

    async def until_waiting(self, count: int) -> None:
        await eventually(lambda: self.waiting() == count, 20.0)

    async def until_none_waiting(self) -> None:
        await eventually(lambda: self.waiting() == 0)

    def open(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def gate_in(folder: Path) -> Generator[Gate]:
    gate = Gate(folder / f"gate-{uuid.uuid4().hex}")
    try:
        yield gate
    finally:
        gate.close()
