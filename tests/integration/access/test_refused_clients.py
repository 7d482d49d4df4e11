"""Rejected clients cost accepted ones nothing: they use no connection slot, and neither memory nor log grows."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from fake_peers import FakePeer, FakePeers
from fakes import FakeTaskIntake
from proc import eventually, open_descriptors
from structlog.testing import capture_logs

from execwire.adapters.tcp.access import AccessPolicy
from execwire.adapters.tcp.closing_clients import CLOSE_SECONDS, MAX_CLOSING
from execwire.adapters.tcp.connection import Connection
from execwire.adapters.tcp.context import ConnectionContext, InFlightLimits
from execwire.adapters.tcp.server import AcceptPolicy, StreamServer
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock

REQUEST = b'{"command":["true"]}\n'
BOUND_SECONDS = 20.0
ALLOWED, OTHER_USER = 1000, 1001


class Clients:
    """Connects to a server as one user or another, and keeps the connections open."""

    def __init__(self, peers: FakePeers, address: tuple[str, int], stack: contextlib.ExitStack) -> None:
        self._peers = peers
        self._address = address
        self._stack = stack

    async def connect(self, user: int = ALLOWED, says: bytes = REQUEST) -> socket.socket:
        """Return a client of that user that has sent `says`; it is identified by its first result or its end."""
        self._peers.peer = FakePeer(user=user)
        client = self._stack.enter_context(socket.create_connection(self._address))
        client.setblocking(False)  # noqa: FBT003 -- its only form
        client.send(says)
        return client

    async def answer(self, user: int = ALLOWED, says: bytes = REQUEST) -> bytes:
        return await received(await self.connect(user, says))


async def received(client: socket.socket) -> bytes:
    async with asyncio.timeout(BOUND_SECONDS):
        return await asyncio.get_running_loop().sock_recv(client, 4096)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 -- its only form
        yield listener


def echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


@asynccontextmanager
async def serving(listener: socket.socket, max_connections: int = 10) -> AsyncGenerator[tuple[StreamServer, Clients]]:
    peers = FakePeers()
    context = ConnectionContext(FakeTaskIntake(echo), FakeClock(), peers, 1000, 60.0, InFlightLimits(100))
    access = AccessPolicy(frozenset({ALLOWED}))
    with contextlib.ExitStack() as stack:
        async with StreamServer([listener], context, AcceptPolicy(access, max_connections, 64)) as server:
            yield server, Clients(peers, listener.getsockname(), stack)


# Hazard 33.
async def test_rejected_users_that_do_not_close_block_no_allowed_client(listener: socket.socket) -> None:
    async with serving(listener, max_connections=2) as (_, clients):
        for _ in range(20):
            assert b"may not send requests" in await clients.answer(OTHER_USER)
        assert b'"exit_code":0' in await clients.answer()


async def test_foreign_protocol_clients_that_do_not_close_block_no_client(listener: socket.socket) -> None:
    async with serving(listener, max_connections=2) as (_, clients):
        for _ in range(20):
            assert b"takes JSON objects" in await clients.answer(says=b"GET / HTTP/1.1\r\n\r\n")
            # Until it has end-of-file, it may be served.
            await asyncio.sleep(0)
        assert b'"exit_code":0' in await clients.answer()


async def test_client_that_retries_at_connection_limit_is_accepted_when_others_leave(
    listener: socket.socket,
) -> None:
    async with serving(listener, max_connections=2) as (_, clients):
        others = [await clients.connect() for _ in range(2)]
        assert [b'"exit_code":0' in await received(other) for other in others] == [True, True]
        for _ in range(20):
            assert b"all 2 connections are in use" in await clients.answer()
        for other in others:
            other.close()
        async with asyncio.timeout(BOUND_SECONDS):
            # No rejected client has closed; the first attempt after the others have closed succeeds.
            while b"--max-connections" in await clients.answer():
                pass


async def test_oldest_rejected_clients_are_closed_past_limit_and_all_get_the_reason(
    listener: socket.socket,
) -> None:
    before = len(open_descriptors())
    async with serving(listener) as (_, clients):
        for _ in range(MAX_CLOSING + 40):
            assert b"may not send requests" in await clients.answer(OTHER_USER)
        # Those of the clients themselves, and those that the server keeps open.
        assert len(open_descriptors()) <= before + 2 * MAX_CLOSING + 40 + 10


async def test_flood_of_rejections_logs_one_line_and_a_count(listener: socket.socket) -> None:
    with capture_logs() as logs:
        async with serving(listener) as (_, clients):
            for _ in range(50):
                await clients.answer(OTHER_USER)
    lines = [log for log in logs if log["event"] == "client refused"]
    assert len(lines) == 2
    assert sum(1 + line.get("suppressed", 0) for line in lines) == 50
    assert all(line["client"].startswith("127.0.0.1:") for line in lines)


async def test_port_probe_of_other_user_logs_no_warning(listener: socket.socket) -> None:
    with capture_logs() as logs:
        async with serving(listener) as (_, clients):
            for _ in range(20):
                (await clients.connect(OTHER_USER, says=b"")).close()
            await eventually(lambda: len(logs) == 20)
    assert {log["log_level"] for log in logs} == {"debug"}


async def test_silent_client_of_other_user_logs_one_warning_and_none_at_close(
    listener: socket.socket,
) -> None:
    with capture_logs() as logs:
        async with serving(listener) as (_, clients):
            assert b"may not send requests" in await clients.answer(OTHER_USER, says=b"")
    assert [(log["event"], log["log_level"]) for log in logs] == [("client refused", "warning")]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("failure", [RuntimeError, MemoryError])
def test_failed_rejections_free_their_slots(
    monkeypatch: pytest.MonkeyPatch,
    listener: socket.socket,
    failure: type[Exception],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    def fail(*_: object) -> None:
        raise failure

    async def play() -> None:
        # The event loop reports what connection_made raises; the other failures are logged.
        asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
        async with serving(listener, max_connections=1) as (_, clients):
            for part, name in ((FakePeers, "identify"), (AccessPolicy, "refusal"), (Connection, "connection_made")):
                with monkeypatch.context() as patch:
                    patch.setattr(part, name, fail)
                    for _ in range(3):
                        with contextlib.suppress(ConnectionError):
                            assert await clients.answer() == b""
                client = await clients.connect()
                assert b'"exit_code":0' in await received(client)
                client.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(play())


# Hazard 31.
async def test_shutdown_does_not_wait_for_rejected_clients(listener: socket.socket) -> None:
    async with serving(listener) as (server, clients):
        idle = await clients.connect()
        assert b'"exit_code":0' in await received(idle)
        assert b"may not" in await clients.answer(OTHER_USER)
        server.begin_shutdown()
        # Shorter than the wait for clients that have been sent end-of-file.
        async with asyncio.timeout(CLOSE_SECONDS / 2):
            await server.wait_closed()
        assert await received(idle) == b""
        assert b"the agent is stopping" in await clients.answer()
