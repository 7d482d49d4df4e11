"""What a client gets that is refused, or closed at once."""

from connection_harness import Limits, Served, ask
from event_loop import past, settle


async def test_a_refusal_drops_what_has_not_been_taken_and_comes_after_what_is_owed() -> None:
    async with Served("a", limits=Limits(requests=1)) as served:
        await served.send(ask("a") + ask("b"))
        served.connection.reject("refused: no more")
        await served.send(ask("c"))
        assert served.results == []
        await served.let_go("a")
        assert served.errors == ["", "refused: no more"]
        assert served.taken == ["a"]
        assert served.transport.wrote_eof


# Hazard 33.
async def test_a_client_that_is_refused_gets_one_reason_and_runs_nothing() -> None:
    async with Served() as served:
        served.connection.reject("refused: not you")
        await served.send(ask("a"))
        assert served.errors == ["refused: not you"]
        assert served.taken == []
        assert served.transport.wrote_eof


async def test_aborting_closes_at_once_answered_or_not() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.abort()
        await settle()
        assert served.lost == [served.connection]
        assert len(served.intake.stopped) == 1


async def test_a_half_line_is_dropped_when_the_client_is_let_go() -> None:
    async with Served(limits=Limits(line_seconds=0.001)) as served:
        served.transport.deliver(b'{"command":')
        served.connection.shut_down()
        await past(0.005)
        assert served.transport.closing
        assert served.results == []
