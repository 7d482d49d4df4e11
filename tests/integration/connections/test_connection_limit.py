import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
from fake_peers import FakePeer, FakePeers
from fakes import FakeTaskIntake

from execwire.adapters.tcp import closing
from execwire.adapters.tcp.access import AccessPolicy
from execwire.adapters.tcp.context import ConnectionContext, InFlightLimits
from execwire.adapters.tcp.server import AcceptPolicy, StreamServer
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock

REQUEST = b'{"command":["true"]}\n'
BOUND_SECONDS = 20.0


def echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 -- its only form
        yield listener


@pytest.fixture
def client(listener: socket.socket) -> Iterator[socket.socket]:
    """A client that has sent its first request before it is accepted."""
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(REQUEST)
        client.setblocking(False)  # noqa: FBT003 -- its only form
        yield client


def server_for(listener: socket.socket, intake: FakeTaskIntake, *users: int, max_connections: int = 10) -> StreamServer:
    context = ConnectionContext(
        intake, FakeClock(), FakePeers(FakePeer(user=os.geteuid())), 1000, 60.0, InFlightLimits(100)
    )
    return StreamServer([listener], context, AcceptPolicy(AccessPolicy(frozenset(users)), max_connections, 1))


async def read_to_eof(client: socket.socket) -> bytes:
    text = b""
    async with asyncio.timeout(BOUND_SECONDS):
        while piece := await asyncio.get_running_loop().sock_recv(client, 4096):
            text += piece
    return text


# Hazard 33.
async def test_data_of_unauthorised_user_sent_before_accept_is_not_run(
    listener: socket.socket, client: socket.socket
) -> None:
    intake = FakeTaskIntake(echo)
    async with server_for(listener, intake):
        text = await read_to_eof(client)
    assert text.count(b"\n") == 1
    assert b"may not send requests here" in text
    assert intake.taken == []


async def test_data_of_client_over_connection_limit_is_not_run(listener: socket.socket, client: socket.socket) -> None:
    intake = FakeTaskIntake(echo)
    async with server_for(listener, intake, os.geteuid(), max_connections=1):
        assert (await asyncio.get_running_loop().sock_recv(client, 4096)).count(b"\n") == 1
        with socket.create_connection(listener.getsockname()) as second:
            second.sendall(REQUEST)
            second.setblocking(False)  # noqa: FBT003 -- its only form
            assert b"--max-connections" in await read_to_eof(second)
    assert len(intake.taken) == 1


# A client is accepted in one event-loop iteration and gets its transport in a later one.
@pytest.mark.parametrize("iterations", range(8))
@pytest.mark.parametrize("graceful", [True, False])
async def test_shutdown_during_accept_does_not_block(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, client: socket.socket, iterations: int, *, graceful: bool
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.01)
    intake = FakeTaskIntake(echo)
    async with server_for(listener, intake, os.geteuid()) as server:
        for _ in range(iterations):
            await asyncio.sleep(0)
        if graceful:
            server.begin_shutdown()
            async with asyncio.timeout(BOUND_SECONDS):
                await server.wait_closed()
    listener.close()
    answers = b""
    with contextlib.suppress(ConnectionError):
        answers = await read_to_eof(client)
    assert answers.count(b"\n") <= len(intake.taken) + answers.count(b"the agent is stopping")
