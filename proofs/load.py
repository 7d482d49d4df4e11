"""A client of soak and chaos: conversations of every kind, one after the other, each answer judged."""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from agent import ANSWER_SECONDS

from .contract import Result, read_result
from .tasks import Task, endless, some_task
from .verdict import BrokenError

BUFFER_BYTES = 64 * 1024 * 1024
INVALID = [
    b"{}",
    b"[]",
    b"nonsense",
    b'{"command":[]}',
    b'{"command":["true"],"timeout":-1}',
    b'{"command":["a\\u0000"]}',
]
FAULTS = (
    "cannot start",  # no descriptor, process or memory to be had
    "the output could not be kept",  # a full disk
    "output limit exceeded",  # a full spool
)
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass
class Load:
    """What the clients of one run share; `tolerant` of closed connections and of the errors that faults cause."""

    port: int
    marker: str
    chance: random.Random
    tolerant: bool = False
    counts: Counter[str] = field(default_factory=Counter[str])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def task(self) -> Task:
        """Return a task under the next marker."""
        return some_task(self.chance, self.next_marker())

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
            raise BrokenError(f"no answer within {ANSWER_SECONDS:g} s") from None
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
            raise BrokenError("a connection is not closed, although everything on it was answered") from None
        if rest:
            raise BrokenError(f"doubled or never asked for: {rest[:300]!r}")

    def judge(self, task: Task, result: Result) -> None:
        """Count an answer; raises BrokenError for one that is wrong."""
        if task.is_answered_by(result):
            self._load.counts[task.kind] += 1
        elif self._load.tolerant and _is_of_a_fault(task, result):
            self._load.counts["failed with a reason"] += 1
        else:
            raise BrokenError(f"wrong: {task}\nwas answered: {result}")

    def close(self, *, reset: bool = False) -> None:
        """Go."""
        if reset:
            connected: socket.socket = self._writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._writer.close()


async def client(load: Load, until: Callable[[], bool]) -> None:
    """Talk on one connection after the other."""
    while not until():
        try:
            await _connection(load, until)
        except (ConnectionError, OSError) as error:
            if not load.tolerant:
                raise BrokenError(f"a connection was lost: {error}") from error
            load.counts["connections lost"] += 1
            await asyncio.sleep(0.02)


async def _connection(load: Load, until: Callable[[], bool]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port, limit=BUFFER_BYTES)
    talk = Talk(load, reader, writer)
    load.counts["connections"] += 1
    try:
        for _ in range(load.chance.randrange(1, 30)):
            if until():
                break
            style: Callable[[Talk, Load], Awaitable[None]] = load.chance.choices(_STYLES, _WEIGHTS)[0]
            await style(talk, load)
        if load.chance.random() < 0.3:
            lines = [line_of(endless(load.next_marker())) for _ in range(load.chance.randrange(1, 4))]
            await talk.send(*lines)
            await asyncio.sleep(load.chance.random() * 0.1)
            load.counts["abandoned"] += len(lines)
            talk.close(reset=load.chance.random() < 0.5)
        else:
            await talk.end()
    finally:
        talk.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1)


async def _single(talk: Talk, load: Load) -> None:
    task = load.task()
    await talk.send(line_of(task))
    talk.judge(task, await talk.result())


async def _pipelined(talk: Talk, load: Load) -> None:
    tasks = [load.task() for _ in range(load.chance.randrange(2, 12))]
    await talk.send(*map(line_of, tasks))
    for task in tasks:
        talk.judge(task, await talk.result())
    load.counts["pipelined"] += len(tasks)


async def _under_ids(talk: Talk, load: Load) -> None:
    tasks = {f"id-{number}": load.task() for number in range(load.chance.randrange(2, 12))}
    load.counts["under ids"] += len(tasks)
    await talk.send(*(line_of(task, name) for name, task in tasks.items()))
    while tasks:
        result = await talk.result()
        task = tasks.pop(str(result.id), None)
        if task is None:
            raise BrokenError(f"doubled or never asked for: {result}")
        talk.judge(task, result)


async def _slowly_read(talk: Talk, load: Load) -> None:
    tasks = [load.task() for _ in range(5)]
    await talk.send(*map(line_of, tasks))
    for task in tasks:
        await talk.pause(load.chance.random() / 2)
        talk.judge(task, await talk.result())
    load.counts["read slowly"] += len(tasks)


async def _invalid(talk: Talk, load: Load) -> None:
    await talk.send(load.chance.choice(INVALID))
    result = await talk.result()
    if result.command or not result.error.startswith("invalid request: "):
        raise BrokenError(f"an invalid request was answered: {result}")
    load.counts["invalid"] += 1


def line_of(task: Task, request_id: str | None = None) -> bytes:
    """Write a task as a request."""
    fields = {"command": task.command, "timeout": task.timeout, "id": request_id}
    return json.dumps(fields).encode()


def _is_of_a_fault(task: Task, result: Result) -> bool:
    return tuple(result.command) == task.command and result.exit_code == -1 and result.error.startswith(FAULTS)


_STYLES = [_single, _pipelined, _under_ids, _slowly_read, _invalid]
_WEIGHTS = [4, 3, 3, 1, 1]
