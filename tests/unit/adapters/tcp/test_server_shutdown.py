"""What happens to connected clients and to new connections when the server stops."""

import asyncio
import errno

import pytest
from connection_harness import ask
from event_loop import past, settle, soon
from server_harness import FakeClient, errors, serving

from execwire.adapters.tcp import acceptor
from execwire.adapters.tcp.refusals import STOPPING

EMFILE = OSError(errno.EMFILE, "Too many open files")


async def test_accepting_does_not_resume_if_the_server_stops_during_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "ACCEPT_PAUSE_SECONDS", 0.002)
    async with serving(monkeypatch) as served:
        served.listener.put(EMFILE, FakeClient())
        await soon(lambda: served.listener.accepts == 1)
        served.server.begin_shutdown()
    await past(0.01)
    assert served.listener.accepts == 1


# Hazard 31.
async def test_shutdown_answers_requests_and_waits_until_each_client_has_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch, "a") as served:
        client, idle = FakeClient(), FakeClient()
        await served.connect(client, idle)
        client.transport.deliver(ask("a"))
        await settle()
        assert served.server.unanswered == 1
        served.server.begin_shutdown()
        await settle()
        assert (client.transport.closing, idle.transport.closing) == (False, True)
        waiting = asyncio.create_task(served.server.wait_closed())
        served.intake.gates["a"].set()
        await settle()
        assert errors(client) == [""]
        assert served.server.unanswered == 0
        assert not waiting.done()
        client.transport.deliver(None)
        await waiting


# Hazard 31.
async def test_new_connections_are_rejected_with_a_reason_until_the_agent_exits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients = [FakeClient(says=ask("late")) for _ in range(3)]
    async with serving(monkeypatch) as served:
        served.server.begin_shutdown()
        await served.connect(clients[0])
        assert errors(clients[0]) == [STOPPING]
        # Rejected clients are not waited for.
        await served.server.wait_closed()
        await served.connect(clients[1])
        served.listener.put(clients[2])
    assert [errors(client) for client in clients] == [[STOPPING]] * 3
    assert [client.closed for client in clients] == [True] * 3
    assert served.intake.taken == []


# Hazard 31.
async def test_client_being_accepted_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient()
        served.listener.put(client)
        await soon(lambda: not served.listener.queue)
        served.server.begin_shutdown()
        waiting = asyncio.create_task(served.server.wait_closed())
        await settle()
        assert errors(client) == [STOPPING]
        assert not waiting.done()
        client.transport.deliver(None)
        await waiting


# Hazard 31.
@pytest.mark.parametrize("iterations", range(6))
async def test_client_being_accepted_at_shutdown_is_closed(monkeypatch: pytest.MonkeyPatch, iterations: int) -> None:
    async with serving(monkeypatch) as served:
        client = FakeClient()
        served.listener.put(client)
        await soon(lambda: not served.listener.queue)
        await settle(iterations)
        served.server.begin_shutdown()
        await settle()
        assert client.transport.wrote_eof or client.transport.closing


@pytest.mark.parametrize("iterations", range(6))
async def test_server_exit_waits_for_a_client_being_accepted(monkeypatch: pytest.MonkeyPatch, iterations: int) -> None:
    client = FakeClient()
    async with serving(monkeypatch) as served:
        served.listener.put(client)
        await soon(lambda: not served.listener.queue)
        await settle(iterations)
    assert client.transport.aborted


async def test_server_exit_closes_every_client_and_stops_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [FakeClient(), FakeClient()]
    async with serving(monkeypatch, "a") as served:
        await served.connect(*clients)
        clients[0].transport.deliver(ask("a"))
        await settle()
    await settle()
    assert [client.transport.aborted for client in clients] == [True, True]
    assert len(served.intake.stopped) == 1
