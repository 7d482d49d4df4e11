"""Which clients are accepted, and how many at one wake-up."""

import errno
import socket

import pytest
from connection_harness import ask
from event_loop import settle, soon
from proc import eventually
from server_harness import FakeClient, errors, serving
from structlog.testing import capture_logs

from execwire.adapters.tcp import acceptor, closing_clients, server

EMFILE = OSError(errno.EMFILE, "Too many open files")


async def test_client_is_accepted_and_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient()
        await served.connect(client)
        client.transport.deliver(ask("a"))
        await settle()
        assert errors(client) == [""]
        assert not client.blocking
        assert client.options == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


async def test_unix_socket_gets_no_tcp_options(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient(socket.AF_UNIX)
        await served.connect(client)
        assert client.options == []


# Hazard 27.
@pytest.mark.parametrize(("at_once", "accepts"), [(64, 4), (1, 3)])
async def test_burst_is_accepted_at_one_wake_up_unless_workers_share_the_socket(
    monkeypatch: pytest.MonkeyPatch, at_once: int, accepts: int
) -> None:
    async with serving(monkeypatch, at_once=at_once) as served:
        await served.connect(FakeClient(), FakeClient(), FakeClient())
        assert served.listener.accepts == accepts


async def test_client_past_the_limit_gets_the_option_that_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, max_connections=2) as served:
        clients = [FakeClient() for _ in range(3)]
        await served.connect(*clients)
        assert [errors(client) for client in clients] == [
            [], [], [server.FULL.format(2)]
        ]  # fmt: skip
        for client in clients:
            client.transport.close()
        await settle()
        last = FakeClient()
        await served.connect(last)
        assert errors(last) == []


# Hazard 33.
async def test_unauthorised_user_gets_a_reason_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, users=frozenset({1000})) as served:
        served.peers.peer.user = 1001
        client = FakeClient(says=ask("a"))
        await served.connect(client)
        client.transport.deliver(ask("b"))
        await settle()
        assert ["user 1001" in error for error in errors(client)] == [True]
        assert served.intake.taken == []


async def test_few_clients_are_accepted_per_wake_up_while_many_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing_clients, "MANY", 2)
    async with serving(monkeypatch, users=frozenset({1000})) as served:
        served.peers.peer.user = 1001
        await served.connect(*(FakeClient() for _ in range(3)))
        before = served.listener.accepts
        served.listener.put(*(FakeClient() for _ in range(10)))
        await soon(lambda: served.listener.accepts > before)
        assert served.listener.accepts - before == acceptor.ACCEPTS_WHILE_MANY_CLOSE


# Hazard 26.
async def test_client_that_disconnects_before_it_is_served_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, users=frozenset({1000}), max_connections=1) as served:
        disconnected = FakeClient(failure=OSError(errno.ENOTCONN, "Transport endpoint is not connected"))
        await served.connect(disconnected)
        assert disconnected.closed
        served.peers.peer.user = 1000
        client = FakeClient()
        await served.connect(client)
        assert errors(client) == []


async def test_client_that_disconnects_before_accept_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        served.listener.put(ConnectionAbortedError())
        client = FakeClient()
        await served.connect(client)
        assert client.transport.protocol is not None


# Hazard 15.
async def test_accepting_pauses_without_descriptors_logs_once_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "ACCEPT_PAUSE_SECONDS", 0.002)
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
