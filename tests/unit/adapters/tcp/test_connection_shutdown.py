"""How the agent closes a connection: after a rejection, or at shutdown."""

import pytest
from connection_harness import Limits, Served, ask
from event_loop import settle
from proc import eventually

from execwire.adapters.tcp import closing, liveness
from execwire.adapters.tcp.closing_clients import DISCARD_BYTES
from execwire.adapters.tcp.peers import Presence


@pytest.fixture
def _short_check_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


async def test_idle_client_is_closed_at_once_on_shutdown() -> None:
    async with Served() as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        await settle()
        assert served.transport.closing
        assert not served.transport.aborted
        assert not served.told


# Hazard 31.
async def test_request_that_has_arrived_at_shutdown_is_answered() -> None:
    async with Served("a") as served:
        served.connection.shut_down()
        served.transport.deliver(ask("a"))
        await served.let_go("a")
        assert served.commands == ["a"]
        assert served.told_the_end()


async def test_fully_sent_is_reported_once_everything_is_written() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        await served.let_go("a")
        assert served.told == [served.connection]
        assert not served.transport.closing


async def test_fully_sent_is_not_reported_while_the_client_does_not_read() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        served.transport.client_reads = False
        await served.let_go("a")
        assert served.told_the_end()
        assert served.told == []


# A rejected client may send at full speed for as long as it is read.
@pytest.mark.parametrize("idle", [True, False])
async def test_little_is_read_from_a_client_after_its_rejection(*, idle: bool) -> None:
    async with Served("a") as served:
        if not idle:
            await served.send(ask("a"))
        served.connection.reject("refused: no more")
        assert served.told_the_end() == idle
        await served.send(*[bytes(16 * 1024)] * 4)
        assert served.transport.is_reading()
        await served.send(b"x")
        assert not served.transport.is_reading()
        await served.let_go("a")
        assert served.errors[-1:] == ["refused: no more"]


@pytest.mark.usefixtures("_short_check_interval")
async def test_disconnect_of_a_paused_rejected_client_is_detected_while_its_task_runs() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.reject("refused: no more")
        await served.send(bytes(DISCARD_BYTES + 1))
        served.peer.answer = Presence.DISCONNECTED
        await eventually(lambda: served.transport.aborted)
        await settle()
        assert len(served.intake.stopped) == 1


# Hazard 31.
async def test_requests_are_answered_before_end_of_file_and_later_ones_are_not_read() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"), ask("b"))
        served.connection.shut_down()
        await served.let_go("b")
        assert not served.told_the_end()
        await served.let_go("a")
        assert served.told_the_end()
        await served.send(ask("c"))
        assert served.commands == ["a", "b"]
        assert served.taken == ["a", "b"]


# Hazard 31.
async def test_request_during_shutdown_is_answered_while_others_are_in_flight() -> None:
    async with Served("a", "late") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        await served.send(ask("late"))
        await served.let_go("a")
        assert served.commands == ["a"]
        assert served.taken == ["a", "late"]
        await served.send(b"nonsense\n")
        assert not served.told_the_end()
        await served.let_go("late")
        assert served.commands == ["a", "late", ""]
        assert served.connection.idle
        assert served.told_the_end()


# Hazard 31.
async def test_buffered_lines_are_answered_before_end_of_file() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a") + ask("b") + ask("c"))
        served.connection.shut_down()
        await served.let_go("a")
        assert served.commands == ["a", "b", "c"]
        assert served.transport.wrote_eof


async def test_connection_is_closed_when_the_client_closes_after_end_of_file() -> None:
    async with Served() as served:
        served.connection.reject("refused: no more")
        await served.send(b"still talking")
        await served.end_of_file()
        assert served.transport.closing


async def test_client_that_does_not_close_after_end_of_file_is_closed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.001)
    async with Served() as served:
        served.connection.reject("refused: no more")
        await eventually(lambda: served.transport.closing)
        assert not served.transport.aborted


async def test_reading_resumes_before_the_close_so_that_nothing_is_left_unread() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a"), ask("b"))
        assert not served.transport.is_reading()
        served.connection.shut_down()
        await served.let_go("a")
        assert served.transport.is_reading()
        assert served.taken == ["a"]
        assert served.transport.wrote_eof


async def test_shutdown_after_half_close_closes_after_the_last_result() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        await served.end_of_file()
        served.connection.shut_down()
        assert not served.transport.is_closing()
        await served.let_go("a")
        assert served.commands == ["a"]
        assert served.transport.closing
        assert not served.transport.wrote_eof


async def test_connection_is_closed_after_the_last_result_if_it_cannot_half_close() -> None:
    async with Served() as served:
        served.transport.knows_eof = False
        served.connection.reject("refused: no more")
        assert served.transport.closing
        assert not served.transport.aborted


async def test_shutdown_is_idempotent() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        served.connection.shut_down()
        await served.let_go("a")
        assert served.commands == ["a"]
