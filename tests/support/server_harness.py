"""A StreamServer without a network: a fake listener to which a test adds clients, and fake transports."""

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from connection_harness import MAX_LINE, echo
from event_loop import settle, soon
from fake_peers import FakePeers
from fake_transport import ADDRESSES, FakeTransport
from fakes import FakeTaskIntake

from execwire.adapters.tcp.access import AccessPolicy
from execwire.adapters.tcp.connection_slots import ConnectionSlots
from execwire.adapters.tcp.context import ConnectionContext, InFlightLimits
from execwire.adapters.tcp.server import AcceptPolicy, StreamServer
from execwire.testing import FakeClock


class FakeClient:
    """A socket as returned by accept(2); the data in `says` can be read from the start."""

    def __init__(
        self, family: socket.AddressFamily = socket.AF_INET, failure: OSError | None = None, says: bytes = b""
    ) -> None:
        self.family = family
        self.options: list[tuple[int, ...]] = []
        self.blocking = True
        self.closed = False
        self.transport = FakeTransport()
        self.says = says
        self._failure = failure
        self._descriptor: int | None = None

    def getsockname(self) -> tuple[str, int]:
        return ADDRESSES["sockname"]

    def getpeername(self) -> tuple[str, int]:
        if self._failure is not None:
            raise self._failure
        return ADDRESSES["peername"]

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 -- the signature of socket
        self.blocking = flag

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def fileno(self) -> int:
        """Return a descriptor without events: the behaviour of rejected clients is tested elsewhere."""
        if self._descriptor is None:
            self._descriptor = os.eventfd(0)
        return self._descriptor

    def send(self, data: bytes) -> None:
        self.transport.written += data

    def shutdown(self, _: int) -> None:
        self.transport.wrote_eof = True

    def recv_into(self, *_: object) -> int:
        raise BlockingIOError

    def close(self) -> None:
        self.closed = True
        if self._descriptor is not None:
            os.close(self._descriptor)


def errors(client: FakeClient) -> list[str]:
    """Return the error of each result, empty for success."""
    return [json.loads(line)["error"] for line in client.transport.written.splitlines()]


class FakeListener:
    """A listening socket; accept() returns or raises the items of `queue`."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK)
        self.queue: deque[FakeClient | OSError] = deque()
        self.accepts = 0

    def put(self, *clients: FakeClient | OSError) -> None:
        self.queue += clients
        os.write(self._writing, bytes(len(clients)))

    def fileno(self) -> int:
        return self._reading

    def accept(self) -> tuple[FakeClient, object]:
        self.accepts += 1
        if not self.queue:
            raise BlockingIOError
        client = self.queue.popleft()
        os.read(self._reading, 1)
        if isinstance(client, OSError):
            raise client
        return client, None

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


class Serving:
    """A StreamServer with a fake listener."""

    def __init__(
        self,
        *gated: str,
        max_connections: int = 100,
        at_once: int = 64,
        users: frozenset[int] | None,
        slots: ConnectionSlots | None = None,
    ) -> None:
        self.listener = FakeListener()
        self.intake = FakeTaskIntake(echo, gates={name: asyncio.Event() for name in gated})
        self.peers = FakePeers()
        context = ConnectionContext(self.intake, FakeClock(), self.peers, MAX_LINE, 60.0, InFlightLimits(100))
        listeners = (cast("socket.socket", self.listener),)
        policy = AcceptPolicy(AccessPolicy(users), max_connections, at_once, slots=slots)
        self.server = StreamServer(listeners, context, policy)

    async def connect(self, *clients: FakeClient) -> None:
        """Add these clients and wait until the server has processed them."""
        self.listener.put(*clients)
        await soon(lambda: not self.listener.queue)
        await settle()


@asynccontextmanager
async def serving(
    monkeypatch: pytest.MonkeyPatch,
    *gated: str,
    max_connections: int = 100,
    at_once: int = 64,
    users: frozenset[int] | None = None,
    slots: ConnectionSlots | None = None,
) -> AsyncGenerator[Serving]:
    served = Serving(*gated, max_connections=max_connections, at_once=at_once, users=users, slots=slots)

    async def connect(
        factory: Callable[[], asyncio.Protocol], client: FakeClient
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        await asyncio.sleep(0)
        client.transport.protocol = factory()
        client.transport.protocol.connection_made(client.transport)
        if client.says:
            # As in uvloop: available data is read before the coroutine that awaits this resumes.
            client.transport.deliver(client.says)
        await asyncio.sleep(0)
        return client.transport, client.transport.protocol

    monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", connect)
    try:
        async with served.server:
            yield served
    finally:
        served.listener.close()
