"""Misbehaving clients: other protocols, floods, and large requests whose results are not read."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from agent import ANSWER_SECONDS

from .conversation import Load
from .floods import FLOODS, MIB
from .result_format import read_result
from .runner import CheckFailedError

METHOD_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
"""The characters of an HTTP method (RFC 9110, section 5.6.2)."""
UNREAD_LINES = 20
MOST_SECONDS = 1.0
_LINGER_NONE = struct.pack("ii", 1, 0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def misbehave(load: Load) -> None:
    """Misbehave in one of these ways on a separate connection."""
    name, act = load.chance.choice(_KINDS)
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    load.counts[name] += 1
    try:
        await act(load, (reader, writer))
    finally:
        connected: socket.socket = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        # close() would first write buffered data, but the agent does not read from a client that does not read.
        writer.transport.abort()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1)


async def _speak_other_protocol(load: Load, streams: Streams) -> None:
    reader, writer = streams
    method = "".join(load.chance.choices(METHOD_CHARACTERS, k=load.chance.randrange(1, 20)))
    request = {"command": ["touch", str(load.forbidden / load.next_marker())]}
    head = load.chance.choice([f"{method} / HTTP/1.1\r\nHost: h\r\n\r\n", f"{method}\n", f"  \n\t{method}\r\n"])
    writer.write((head + json.dumps(request) + "\n").encode() * 2)
    try:
        response = await asyncio.wait_for(reader.read(), ANSWER_SECONDS)
    except TimeoutError:
        raise CheckFailedError(f"a client that began with {head!r} was not disconnected") from None
    except ConnectionError:
        return  # a reset can discard the response if the client has sent more
    lines = response.splitlines()
    if lines and (len(lines) > 1 or read_result(lines[0]).command):
        raise CheckFailedError(f"to {head!r}: {response[:300]!r}")


async def _flood(load: Load, streams: Streams) -> None:
    reader, writer = streams
    data = FLOODS[load.chance.choice(list(FLOODS))]()
    reading = asyncio.create_task(_discard(reader))
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(load.chance.random() * MOST_SECONDS):
            while True:
                writer.write(data)
                await writer.drain()
    reading.cancel()


async def _discard(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(MIB):
            pass


async def _read_nothing(load: Load, streams: Streams) -> None:
    _, writer = streams
    cast("asyncio.Transport", writer.transport).pause_reading()
    line = FLOODS[load.chance.choice(["209,000 arguments", "40,000 arguments", "1 MiB, valid"])]()
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(MOST_SECONDS):
            for _ in range(UNREAD_LINES):
                writer.write(line)
                await writer.drain()
            await asyncio.sleep(load.chance.random() * MOST_SECONDS)


_KINDS: list[tuple[str, Callable[[Load, Streams], Awaitable[None]]]] = [
    ("speaks another protocol", _speak_other_protocol),
    ("floods", _flood),
    ("reads nothing", _read_nothing),
]
MISBEHAVIOUR = frozenset(name for name, _ in _KINDS)
"""The names under which they are counted."""
