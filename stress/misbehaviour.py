"""Clients that misbehave in different ways, and a program that runs them: `python -m stress.misbehaviour PORT CLIENTS`.

It exits when its stdin ends. It builds no data per request: the same object is sent repeatedly.
"""

import asyncio
import contextlib
import itertools
import json
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable

MIB = 1024 * 1024
PAUSE_SECONDS = 0.5


def request(*command: str, **fields: object) -> bytes:
    """Return a request line."""
    return json.dumps({"command": command, **fields}, separators=(",", ":")).encode() + b"\n"


MANY_ARGUMENTS = request("true", *["ab"] * 209_000)
"""A MiB that takes 15 MiB as Python strings, and cannot be started."""
LARGE_AND_SLOW = request("sleep", "3", *["ab"] * 20_000)
HALF = b'{"command":["true"],"x":"' + b"x" * (MIB - 100)

Client = Callable[[int], Awaitable[None]]


@contextlib.asynccontextmanager
async def _connected(port: int) -> AsyncGenerator[socket.socket]:
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003 -- its only form
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        yield client
    finally:
        client.close()


async def _send(port: int, data: bytes, seconds: float, *, read: bool) -> None:
    """Send the same data repeatedly for `seconds`; read the results if `read`."""
    loop = asyncio.get_running_loop()
    async with _connected(port) as client:

        async def discard() -> None:
            while await loop.sock_recv(client, MIB):
                pass

        reading = loop.create_task(discard()) if read else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await loop.sock_sendall(client, data)
        if reading is not None:
            reading.cancel()


async def never_reads(port: int) -> None:
    """Send large commands, which are echoed, and read nothing."""
    await _send(port, MANY_ARGUMENTS, 8.0, read=False)


async def never_reads_small(port: int) -> None:
    """Send small requests with large results, and read nothing."""
    await _send(port, request("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' a") * 50, 8.0, read=False)


async def queues_and_leaves(port: int) -> None:
    """Disconnect while large commands are queued or running."""
    await _send(port, LARGE_AND_SLOW, PAUSE_SECONDS, read=False)


async def half_line(port: int) -> None:
    """Send the beginning of a line of a MiB, and wait."""
    async with _connected(port) as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(8.0):
                await asyncio.get_running_loop().sock_sendall(client, HALF)
                await asyncio.sleep(8.0)


async def small_writes(port: int) -> None:
    """Run tasks that write two bytes at a time."""
    program = "i=0; while [ $i -lt 20000 ]; do printf ab; i=$((i+1)); done"
    await _send(port, request("sh", "-c", program, timeout=4000) * 2, PAUSE_SECONDS, read=True)


async def floods(port: int) -> None:
    """Send invalid requests without pause."""
    await _send(port, b"{nonsense}\n" * 10_000, 4.0, read=True)


async def pipelines(port: int) -> None:
    """Send lines of a MiB without pause, and read the results."""
    await _send(port, HALF + b'"}\n', 4.0, read=True)


async def commands(port: int) -> None:
    """Send large commands without pause, and read the results."""
    await _send(port, MANY_ARGUMENTS, 4.0, read=True)


MISBEHAVIOURS: tuple[Client, ...] = (
    never_reads,
    never_reads_small,
    queues_and_leaves,
    half_line,
    small_writes,
    floods,
    pipelines,
    commands,
)


async def _again(client: Client, port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            await client(port)
        await asyncio.sleep(PAUSE_SECONDS / 10)


async def misbehave(port: int, clients: int, kinds: tuple[Client, ...] = MISBEHAVIOURS) -> None:
    """Run `clients` misbehaving clients, evenly of all kinds, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for client in itertools.islice(itertools.cycle(kinds), clients):
            group.create_task(_again(client, port))


async def _until_stdin_ends(port: int, clients: int) -> None:
    misbehaving = asyncio.create_task(misbehave(port, clients))
    await asyncio.to_thread(sys.stdin.read)
    misbehaving.cancel()


if __name__ == "__main__":
    asyncio.run(_until_stdin_ends(int(sys.argv[1]), int(sys.argv[2])))
