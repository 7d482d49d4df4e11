"""Who is let in, and what becomes of all when the server stops."""

import asyncio
import errno
import json
import socket

import pytest
from door import FakeClient, serving
from proc import eventually
from served import ask
from structlog.testing import capture_logs
from turns import past, settle, soon

from execwire.adapters.tcp import server

EMFILE = OSError(errno.EMFILE, "Too many open files")


def errors(client: FakeClient) -> list[str]:
    return [json.loads(line)["error"] for line in client.transport.written.splitlines()]


async def test_a_client_is_let_in_and_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient()
        await served.connect(client)
        client.transport.deliver(ask("a"))
        await settle()
        assert errors(client) == [""]
        assert not client.blocking
        assert client.options == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


async def test_a_unix_socket_has_nothing_of_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient(socket.AF_UNIX)
        await served.connect(client)
        assert client.options == []


# Hazard 27.
@pytest.mark.parametrize(("at_once", "accepts"), [(64, 4), (1, 3)])
async def test_a_burst_is_accepted_at_one_wake_up_unless_workers_share_it(
    monkeypatch: pytest.MonkeyPatch, at_once: int, accepts: int
) -> None:
    async with serving(monkeypatch, at_once=at_once) as served:
        await served.connect(FakeClient(), FakeClient(), FakeClient())
        assert served.listener.accepts == accepts


async def test_one_client_too_many_is_told_which_option_allows_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, max_connections=2) as served:
        clients = [FakeClient() for _ in range(3)]
        await served.connect(*clients)
        assert [errors(client) for client in clients] == [
            [], [], ["refused: 2 clients are connected; --max-connections allows more"]
        ]  # fmt: skip
        for client in clients:
            client.transport.close()
        await settle()
        last = FakeClient()
        await served.connect(last)
        assert errors(last) == []


# Hazard 33.
async def test_another_user_is_refused_with_a_reason_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, users=frozenset({1000})) as served:
        served.peers.owner = 1001
        client = FakeClient(says=ask("a"))
        await served.connect(client)
        client.transport.deliver(ask("b"))
        await settle()
        assert ["user 1001" in error for error in errors(client)] == [True]
        assert served.intake.taken == []


# Hazard 26.
async def test_a_client_that_is_gone_before_it_is_served_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, users=frozenset({1000}), max_connections=1) as served:
        gone = FakeClient(failure=OSError(errno.ENOTCONN, "Transport endpoint is not connected"))
        await served.connect(gone)
        assert gone.closed
        served.peers.owner = 1000
        client = FakeClient()
        await served.connect(client)
        assert errors(client) == []


async def test_a_client_that_went_before_it_was_accepted_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        served.listener.put(ConnectionAbortedError())
        client = FakeClient()
        await served.connect(client)
        assert client.transport.protocol is not None


# Hazard 15.
async def test_without_descriptors_accepting_pauses_says_so_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ACCEPT_PAUSE_SECONDS", 0.002)
    async with serving(monkeypatch) as served:
        with capture_logs() as logs:
            served.listener.put(EMFILE)
            client = FakeClient()
            served.listener.put(client)
            await soon(lambda: served.listener.accepts == 1)
            assert client.transport.protocol is None
            await eventually(lambda: client.transport.protocol is not None)
        assert [(log["event"], log["reason"]) for log in logs] == [
            ("cannot accept clients for now", "Too many open files")
        ]


async def test_a_stop_in_the_middle_of_such_a_pause_is_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ACCEPT_PAUSE_SECONDS", 0.002)
    async with serving(monkeypatch) as served:
        served.listener.put(EMFILE, FakeClient())
        await soon(lambda: served.listener.accepts == 1)
        served.server.leave()
        await past(0.01)
        assert served.listener.accepts == 1


# Hazard 31.
async def test_leaving_answers_what_was_taken_and_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "a") as served:
        client = FakeClient()
        await served.connect(client)
        client.transport.deliver(ask("a"))
        await settle()
        served.server.leave()
        served.listener.put(FakeClient())
        await settle()
        assert len(served.listener.queue) == 1
        assert await served.server.answered(0.0) == 1
        waiting = asyncio.create_task(served.server.answered(60.0))
        served.intake.gates["a"].set()
        await settle()
        assert errors(client) == [""]
        assert not waiting.done()
        client.transport.deliver(None)
        assert await waiting == 0


# Hazard 31.
@pytest.mark.parametrize("turns", range(6))
async def test_a_client_that_is_being_let_in_at_the_stop_is_let_go(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient()
        served.listener.put(client)
        await soon(lambda: not served.listener.queue)
        await settle(turns)
        served.server.leave()
        await settle()
        assert client.transport.wrote_eof


@pytest.mark.parametrize("turns", range(6))
async def test_closing_waits_for_a_client_that_is_being_let_in(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    client = FakeClient()
    async with serving(monkeypatch) as served:
        served.listener.put(client)
        await soon(lambda: not served.listener.queue)
        await settle(turns)
    assert client.transport.aborted


async def test_closing_closes_every_client_and_kills_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [FakeClient(), FakeClient()]
    async with serving(monkeypatch, "a") as served:
        await served.connect(*clients)
        clients[0].transport.deliver(ask("a"))
        await settle()
    await settle()
    assert [client.transport.aborted for client in clients] == [True, True]
    assert len(served.intake.cancelled) == 1
