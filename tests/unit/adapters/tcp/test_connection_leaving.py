"""How the agent lets a client go: refused, or at the agent's own stop."""

import pytest
from connection_harness import Limits, Served, ask
from event_loop import settle
from proc import eventually

from execwire.adapters.tcp import closing, liveness
from execwire.adapters.tcp.closing_clients import DISCARD_BYTES
from execwire.adapters.tcp.peers import Presence


@pytest.fixture
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "CHECK_SECONDS", 0.001)


async def test_a_client_that_is_owed_nothing_is_closed_at_once_and_not_waited_for() -> None:
    async with Served() as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        await settle()
        assert served.transport.closing
        assert not served.transport.aborted
        assert not served.told


# Hazard 31.
async def test_what_has_arrived_by_the_time_it_leaves_is_answered_all_the_same() -> None:
    async with Served("a") as served:
        served.connection.shut_down()
        served.transport.deliver(ask("a"))
        await served.let_go("a")
        assert served.commands == ["a"]
        assert served.told_the_end()


async def test_who_was_told_the_end_is_passed_on_once_all_of_it_is_written() -> None:
    async with Served("a", "b") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        await served.let_go("a")
        assert served.told == [served.connection]
        assert not served.transport.closing


async def test_who_does_not_read_the_last_it_is_owed_is_not_passed_on() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        served.transport.client_reads = False
        await served.let_go("a")
        assert served.told_the_end()
        assert served.told == []


# Whoever is refused sends at full speed, as long as it is read.
@pytest.mark.parametrize("told", [True, False])
async def test_of_what_a_client_sends_that_nobody_wants_any_more_little_is_read(*, told: bool) -> None:
    async with Served("a") as served:
        if not told:
            await served.send(ask("a"))
        served.connection.reject("refused: no more")
        assert served.told_the_end() == told
        await served.send(*[bytes(16 * 1024)] * 4)
        assert served.transport.is_reading()
        await served.send(b"x")
        assert not served.transport.is_reading()
        await served.let_go("a")
        assert served.errors[-1:] == ["refused: no more"]


@pytest.mark.usefixtures("_look_often")
async def test_who_went_after_it_was_not_read_any_more_is_noticed_while_something_runs_for_it() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.reject("refused: no more")
        await served.send(bytes(DISCARD_BYTES + 1))
        served.peer.answer = Presence.DISCONNECTED
        await eventually(lambda: served.transport.aborted)
        await settle()
        assert len(served.intake.stopped) == 1


# Hazard 31.
async def test_what_was_taken_is_answered_before_the_end_and_nothing_after_it_is_taken() -> None:
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
async def test_what_is_asked_for_before_everything_owed_is_answered_gets_its_answer_too() -> None:
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
async def test_lines_that_were_read_and_wait_their_turn_are_answered_before_the_end() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a") + ask("b") + ask("c"))
        served.connection.shut_down()
        await served.let_go("a")
        assert served.commands == ["a", "b", "c"]
        assert served.transport.wrote_eof


async def test_a_client_that_closes_after_it_was_told_the_end_is_closed_too() -> None:
    async with Served() as served:
        served.connection.reject("refused: no more")
        await served.send(b"still talking")
        await served.end_of_file()
        assert served.transport.closing


async def test_a_client_that_does_not_close_after_it_was_told_the_end_is_closed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.001)
    async with Served() as served:
        served.connection.reject("refused: no more")
        await eventually(lambda: served.transport.closing)
        assert not served.transport.aborted


async def test_a_client_that_was_not_read_is_read_again_so_that_what_it_sent_is_not_left_unread() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a"), ask("b"))
        assert not served.transport.is_reading()
        served.connection.shut_down()
        await served.let_go("a")
        assert served.transport.is_reading()
        assert served.taken == ["a"]
        assert served.transport.wrote_eof


async def test_leaving_after_the_client_half_closed_closes_when_the_last_answer_is_out() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        await served.end_of_file()
        served.connection.shut_down()
        assert not served.transport.is_closing()
        await served.let_go("a")
        assert served.commands == ["a"]
        assert served.transport.closing
        assert not served.transport.wrote_eof


async def test_where_half_closing_does_not_exist_the_last_answer_is_followed_by_the_close() -> None:
    async with Served() as served:
        served.transport.knows_eof = False
        served.connection.reject("refused: no more")
        assert served.transport.closing
        assert not served.transport.aborted


async def test_leaving_twice_is_leaving() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.shut_down()
        served.connection.shut_down()
        await served.let_go("a")
        assert served.commands == ["a"]
