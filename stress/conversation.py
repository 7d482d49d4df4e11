"""One connection of soak and chaos, which checks each result, and the state that all connections of a run share."""

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
    "cannot start",  # no descriptors, processes or memory
    "the command ran, but its output could not be kept",  # a full disk
    "output limit exceeded",  # a full spool
)
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass
class Load:
    """The shared state of the clients of one run.

    `tolerant` accepts closed connections and the errors that faults cause; `as_root` says that the agent runs as root.
    `folder` is for files of the run: each daemon that has written all its output creates one in it.
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
        """Return a task with the next marker."""
        task = some_task(self.chance, self.next_marker(), self.folder)
        return self.task() if task.kind == SU and not self.as_root else task

    @property
    def forbidden(self) -> Path:
        """A folder in which a file shows that a forbidden command was run."""
        return self.folder / "forbidden"

    def next_marker(self) -> str:
        """Return a marker that is unique in this run."""
        return f"{self.marker}-{next(self.numbers)}"


class Talk:
    """One connection."""

    def __init__(self, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`reader` and `writer` belong to this object from now on."""
        self._load = load
        self._reader = reader
        self._writer = writer

    async def send(self, *lines: bytes) -> None:
        """Send lines in one write."""
        self._writer.write(b"".join(line + b"\n" for line in lines))
        await self._writer.drain()

    async def result(self) -> Result:
        """Return the next result."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return read_result((await self._reader.readuntil())[:-1])
        except TimeoutError:
            raise CheckFailedError(f"no result within {ANSWER_SECONDS:g} s") from None
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("closed before all results") from error

    async def pause(self, seconds: float) -> None:
        """Read nothing for a while."""
        transport = cast("asyncio.Transport", self._writer.transport)
        transport.pause_reading()
        await asyncio.sleep(seconds)
        transport.resume_reading()

    async def end(self) -> None:
        """Half-close, and check that no additional results arrive."""
        self._writer.write_eof()
        try:
            data = await asyncio.wait_for(self._reader.read(), ANSWER_SECONDS)
        except TimeoutError:
            raise CheckFailedError("a connection is not closed, although all its results were sent") from None
        if data:
            raise CheckFailedError(f"duplicate or never requested: {data[:300]!r}")

    def judge(self, task: Task, result: Result) -> None:
        """Count a result; raises CheckFailedError if it is wrong."""
        if task.is_answered_by(result):
            self._load.counts[task.kind] += 1
        elif self._load.tolerant and _is_of_a_fault(task, result):
            self._load.counts["failed with a reason"] += 1
        else:
            raise CheckFailedError(f"wrong: {task}\nresult: {result}")

    def close(self, *, reset: bool = False) -> None:
        """Close the connection."""
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
