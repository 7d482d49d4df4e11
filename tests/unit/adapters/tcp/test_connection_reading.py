"""What a connection reads, and when it pauses reading."""

import pytest
from connection_harness import MAX_LINE, Limits, Served, ask
from event_loop import past, settle
from proc import eventually

WAITING = [f"wait-{number}" for number in range(4)]


async def test_each_line_is_a_request_and_gets_one_result() -> None:
    async with Served() as served:
        await served.send(ask("a"), ask("b") + ask("c"))
        assert served.commands == ["a", "b", "c"]


# Hazard 24.
async def test_request_may_arrive_one_byte_at_a_time() -> None:
    async with Served() as served:
        line = ask("grüße") + ask("b")
        await served.send(*(line[index : index + 1] for index in range(len(line))))
        assert served.commands == ["grüße", "b"]


# Hazard 24.
async def test_hundred_requests_may_arrive_in_one_segment() -> None:
    async with Served() as served:
        names = [f"task-{number}" for number in range(100)]
        await served.send(b"".join(map(ask, names)))
        assert served.commands == names


async def test_pipelined_requests_are_all_started_before_the_first_has_ended() -> None:
    async with Served(*WAITING) as served:
        await served.send(*map(ask, WAITING))
        assert served.taken == WAITING
        assert served.results == []


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"  \t \n"])
async def test_blank_lines_are_no_requests(blank: bytes) -> None:
    async with Served() as served:
        await served.send(blank, ask("a"), blank)
        assert served.commands == ["a"]


# Hazard 20.
@pytest.mark.parametrize(("over", "answered"), [(-1, ["x"]), (0, ["x"]), (1, [""])])
async def test_line_of_maximum_length_is_accepted_and_one_byte_more_is_rejected(over: int, answered: list[str]) -> None:
    async with Served() as served:
        line = ask("x").rstrip(b"\n").ljust(MAX_LINE + over)
        await served.send(line + b"\n", ask("next"))
        assert served.commands == [*answered, "next"]
        assert served.errors[0] == ("" if over <= 0 else f"invalid request: The line is longer than {MAX_LINE} bytes")


async def test_line_that_is_too_long_is_rejected_with_its_id_unless_that_is_in_flight() -> None:
    async with Served("a") as served:
        too_long = b'{"id":"x","command":["' + b"y" * MAX_LINE
        await served.send(too_long[:-9], too_long[-9:] + b"\n")
        assert served.results[0]["id"] == "x"
        await served.send(ask("a", id="x"), too_long + b'"]}\n')
        assert "id" not in served.results[1]
        assert '"x"' in served.errors[1]
        assert all(f"longer than {MAX_LINE} bytes" in error for error in served.errors)


# Hazard 22.
async def test_line_without_an_end_gets_one_error_and_the_next_one_works() -> None:
    async with Served() as served:
        await served.send(b"{", *[b"x" * 300] * 50)
        assert len(served.errors) == 1
        await served.send(b"\n", ask("next"))
        assert served.commands == ["", "next"]


async def test_client_at_its_request_limit_is_not_read_until_a_result_is_sent() -> None:
    async with Served(*WAITING, limits=Limits(requests=2)) as served:
        await served.send(b"".join(map(ask, WAITING)))
        assert served.taken == WAITING[:2]
        assert not served.transport.is_reading()
        await served.let_go(WAITING[0])
        assert served.taken == WAITING[:3]
        assert not served.transport.is_reading()
        await served.let_go(*WAITING)
        assert served.commands == WAITING
        assert served.transport.is_reading()


async def test_sent_error_frees_its_place_in_flight() -> None:
    async with Served(limits=Limits(requests=1)) as served:
        await served.send(b"{}\n" * 5 + ask("a"))
        assert served.commands == [""] * 5 + ["a"]


async def test_reading_is_paused_while_the_agent_has_no_capacity() -> None:
    async with Served() as served:
        served.intake.fill()
        await served.send(ask("a"), ask("b"))
        assert served.taken == []
        assert not served.transport.is_reading()
        served.intake.release_all()
        await settle()
        assert served.commands == ["a", "b"]
        assert served.transport.is_reading()


async def test_granted_capacity_is_for_one_request_and_the_next_one_waits_again() -> None:
    async with Served() as served:
        served.intake.fill()
        await served.send(ask("a") + ask("b") + ask("c"))
        for taken in (["a"], ["a", "b"]):
            served.intake.grant()
            await settle()
            assert served.taken == taken
            assert not served.transport.is_reading()
        served.intake.release_all()
        await settle()
        assert served.commands == ["a", "b", "c"]
        assert served.transport.is_reading()


async def test_client_that_does_not_read_is_paused_at_its_limit_and_gets_everything_later() -> None:
    names = [f"task-{number}" for number in range(20)]
    async with Served(limits=Limits(requests=5)) as served:
        served.transport.client_reads = False
        served.connection.pause_writing()
        await served.send(*map(ask, names))
        assert served.taken == names[:5]
        served.transport.client_reads = True
        served.connection.resume_writing()
        await settle()
        assert served.commands == names


# Hazard 27.
async def test_line_not_completed_in_time_is_rejected_and_the_connection_closed() -> None:
    async with Served(limits=Limits(line_seconds=0.01)) as served:
        await served.send(b'{"command"')
        await eventually(lambda: served.transport.wrote_eof)
        assert served.errors == ["invalid request: The line was not completed within 0.01 s"]
        await served.send(b':["a"]}\n')
        assert served.taken == []


async def test_rest_of_a_line_that_is_too_long_has_the_same_time_limit() -> None:
    async with Served(limits=Limits(line_seconds=0.01)) as served:
        await served.send(b"{" + b"x" * MAX_LINE)
        await eventually(lambda: served.transport.wrote_eof)
        assert ["longer than" in error for error in served.errors] == [True, False]


async def test_there_is_no_time_limit_between_lines() -> None:
    async with Served("a", limits=Limits(line_seconds=0.001)) as served:
        await served.send(b'{"command"', b':["a"]}\n')
        await past(0.005)
        assert not served.transport.wrote_eof
        await served.let_go("a")
        assert served.commands == ["a"]


async def test_line_timeout_does_not_apply_while_reading_is_paused() -> None:
    async with Served("a", limits=Limits(line_seconds=0.001, requests=1)) as served:
        served.transport.deliver(b'{"command":["')
        served.intake.fill()
        served.transport.deliver(b"a")
        assert not served.transport.is_reading()
        await past(0.005)
        assert not served.transport.wrote_eof
        served.intake.release_all()
        await served.send(b'"]}\n')
        assert served.taken == ["a"]
