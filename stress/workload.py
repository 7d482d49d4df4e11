"""A client of soak and chaos: runs conversations of all kinds, one after the other."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from .bad_clients import misbehave
from .conversation import Load, Talk, line_of
from .runner import CheckFailedError
from .task_mix import endless

BUFFER_BYTES = 64 * 1024 * 1024
MISBEHAVIOUR_PART = 0.1
INVALID = [
    b"{}",
    b"[]",
    b"nonsense",
    b'{"command":[]}',
    b'{"command":["true"],"timeout":-1}',
    b'{"command":["a\\u0000"]}',
]


async def client(load: Load, until: Callable[[], bool]) -> None:
    """Run conversations on one connection after the other until `until()`."""
    while not until():
        try:
            if load.chance.random() < MISBEHAVIOUR_PART:
                await misbehave(load)
            else:
                await _connection(load, until)
        except (ConnectionError, OSError) as error:
            if not load.tolerant:
                raise CheckFailedError(f"a connection was lost: {error}") from error
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
            raise CheckFailedError(f"duplicate or never requested: {result}")
        talk.judge(task, result)


async def _slowly_read(talk: Talk, load: Load) -> None:
    tasks = [load.task() for _ in range(5)]
    await talk.send(*map(line_of, tasks))
    for task in tasks:
        await talk.pause(load.chance.random() / 2)
        talk.judge(task, await talk.result())
    load.counts["read slowly"] += len(tasks)


async def _invalid(talk: Talk, load: Load) -> None:
    # An object first, since a connection that begins with other data is closed.
    await talk.send(b"{}", load.chance.choice(INVALID))
    for result in (await talk.result(), await talk.result()):
        if result.command or not result.error.startswith("invalid request: "):
            raise CheckFailedError(f"the result of an invalid request: {result}")
    load.counts["invalid"] += 1


_STYLES = [_single, _pipelined, _under_ids, _slowly_read, _invalid]
_WEIGHTS = [4, 3, 3, 1, 1]
