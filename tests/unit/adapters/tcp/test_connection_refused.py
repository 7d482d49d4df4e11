"""What a client receives when it is rejected or closed at once."""

from connection_harness import Limits, Served, ask
from event_loop import past, settle


async def test_rejection_drops_unread_lines_and_comes_after_pending_results() -> None:
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
async def test_rejected_client_gets_one_reason_and_runs_nothing() -> None:
    async with Served() as served:
        served.connection.reject("refused: not you")
        await served.send(ask("a"))
        assert served.errors == ["refused: not you"]
        assert served.taken == []
        assert served.transport.wrote_eof


async def test_abort_closes_at_once_even_with_requests_in_flight() -> None:
    async with Served("a") as served:
        await served.send(ask("a"))
        served.connection.abort()
        await settle()
        assert served.lost == [served.connection]
        assert len(served.intake.stopped) == 1


async def test_partial_line_is_dropped_at_shutdown() -> None:
    async with Served(limits=Limits(line_seconds=0.001)) as served:
        served.transport.deliver(b'{"command":')
        served.connection.shut_down()
        await past(0.005)
        assert served.transport.closing
        assert served.results == []
