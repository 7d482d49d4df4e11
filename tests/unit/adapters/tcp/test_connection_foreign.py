"""A connection that does not begin with an object uses another protocol: nothing that it sends is run."""

import pytest
from connection_harness import MAX_LINE, Limits, Served, ask
from event_loop import past

from execwire.adapters.tcp.batch import BULK_BYTES
from execwire.protocol.framing import FOREIGN

POST = b"POST /%s HTTP/1.1\r\nHost: localhost:3000\r\nContent-Type: text/plain\r\n\r\n"


# Hazard 32.
@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"FOO / HTTP/1.1\r\n\r\n",
        POST % (b"x" * MAX_LINE * 2),
        b"\x16\x03\x01\x02\x00\x01",
        b"get / HTTP/1.1\n",
        b" \t\r\nGETTING on\n",
        b"[]\n",
        b"null\n",
        b"x" * (MAX_LINE + 1) + b"\n",
        b"\0",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_connection_that_does_not_begin_with_an_object_gets_one_error_and_runs_nothing(
    start: bytes, step: int
) -> None:
    async with Served() as served:
        data = start + ask("evil") * 3
        await served.send(*(data[index : index + step] for index in range(0, len(data), step)))
        assert served.taken == []
        assert served.errors == [FOREIGN]
        assert served.told_the_end()


# Hazard 32.
async def test_foreign_connection_is_rejected_even_without_capacity() -> None:
    async with Served() as served:
        served.intake.fill()
        await served.send(b"GET / HTTP/1.1\r\n\r\n" + ask("evil"))
        assert served.errors == [FOREIGN]
        assert served.told_the_end()
        served.intake.release_all()


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n", b"get /\n", b"\x16\x03\x01\n", b"[]\n", b"5\n", b"{\n"])
async def test_foreign_line_after_an_object_is_an_invalid_request(line: bytes) -> None:
    async with Served() as served:
        await served.send(ask("first"), line, ask("next"))
        assert served.commands == ["first", "", "next"]
        assert served.errors[1].startswith("invalid request: ")


async def test_first_object_need_not_be_a_valid_request() -> None:
    async with Served() as served:
        await served.send(b"\n{}\n", b"5\n", ask("next"))
        assert served.commands == ["", "", "next"]


async def test_blanks_are_no_line_and_do_not_start_the_line_timer() -> None:
    async with Served(limits=Limits(line_seconds=0.001)) as served:
        await served.send(b" " * MAX_LINE * 3, b"\r\n\t ")
        await past(0.005)
        assert served.results == []
        await served.send(ask("a"))
        assert served.commands == ["a"]


async def test_many_blanks_before_the_first_object_are_read_by_the_scheduler() -> None:
    async with Served() as served:
        served.transport.deliver(b" " * (BULK_BYTES + 1))
        assert not served.transport.is_reading()
        await served.send()
        assert served.transport.is_reading()
        await served.send(ask("a"))
        assert served.commands == ["a"]
