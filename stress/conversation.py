"""One connection of soak and chaos, where each answer is judged, and what all connections of a run share."""

import asyncio
import itertools
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from agent import ANSWER_SECONDS

from .result_format import Result, read_result
from .runner import CheckFailedError
from .task_mix import SU, Task, some_task

FAULTS = (
    "cannot start",  # no descriptor, process or memory to be had
    "the command ran, but its output could not be kept",  # a full disk
    "output limit exceeded",  # a full spool
)
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass
class Load:
    """What the clients of one run share.

    `tolerant` of closed connections and of the errors that faults cause; `as_root` says that the agent is root's.
    `folder` is for files of the run: daemons that have written all that they had to write leave one in it.
    """

    port: int
    marker: str
    chance: random.Random
    folder: Path
    tolerant: bool = False
    as_root: bool = False
    counts: Counter[str] = field(default_factory=Counter[str])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def task(self) -> Task:
        """Return a task under the next marker."""
        task = some_task(self.chance, self.next_marker(), self.folder)
        return self.task() if task.kind == SU and not self.as_root else task

    @property
    def forbidden(self) -> Path:
        """Where a file means that a command was run which must not be."""
        return self.folder / "forbidden"

    def next_marker(self) -> str:
        """Return one that no other task of this run has."""
        return f"{self.marker}-{next(self.numbers)}"


class Talk:
    """One connection."""

    def __init__(self, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take over the streams."""
        self._load = load
        self._reader = reader
        self._writer = writer

    async def send(self, *lines: bytes) -> None:
        """Send lines at once."""
        self._writer.write(b"".join(line + b"\n" for line in lines))
        await self._writer.drain()

    async def result(self) -> Result:
        """Return the next answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return read_result((await self._reader.readuntil())[:-1])
        except TimeoutError:
            raise CheckFailedError(f"no answer within {ANSWER_SECONDS:g} s") from None
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("closed before its answers") from error

    async def pause(self, seconds: float) -> None:
        """Read nothing for a while."""
        transport = cast("asyncio.Transport", self._writer.transport)
        transport.pause_reading()
        await asyncio.sleep(seconds)
        transport.resume_reading()

    async def end(self) -> None:
        """See that nothing comes that was not asked for."""
        self._writer.write_eof()
        try:
            rest = await asyncio.wait_for(self._reader.read(), ANSWER_SECONDS)
        except TimeoutError:
            raise CheckFailedError("a connection is not closed, although everything on it was answered") from None
        if rest:
            raise CheckFailedError(f"doubled or never asked for: {rest[:300]!r}")

    def judge(self, task: Task, result: Result) -> None:
        """Count an answer; raises CheckFailedError for one that is wrong."""
        if task.is_answered_by(result):
            self._load.counts[task.kind] += 1
        elif self._load.tolerant and _is_of_a_fault(task, result):
            self._load.counts["failed with a reason"] += 1
        else:
            raise CheckFailedError(f"wrong: {task}\nwas answered: {result}")

    def close(self, *, reset: bool = False) -> None:
        """Go."""
        if reset:
            connected: socket.socket = self._writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._writer.close()


def line_of(task: Task, request_id: str | None = None) -> bytes:
    """Write a task as a request."""
    fields = {"command": task.command, "timeout": task.timeout, "id": request_id}
    return json.dumps(fields).encode()


def _is_of_a_fault(task: Task, result: Result) -> bool:
    return tuple(result.command) == task.command and result.exit_code == -1 and result.error.startswith(FAULTS)
