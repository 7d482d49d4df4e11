"""A port that takes JSON is deaf to what a web page can send."""

import pytest
from served import MAX_LINE, Served, ask

REFUSAL = "refused: this port takes newline-terminated JSON, neither HTTP nor TLS"
POST = b"POST /%s HTTP/1.1\r\nHost: localhost:3000\r\nContent-Type: text/plain\r\n\r\n"


# Hazard 32.
@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        POST % b"",
        POST % (b"x" * MAX_LINE * 2),
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_http_and_tls_get_one_refusal_and_nothing_that_follows_runs(start: bytes, step: int) -> None:
    async with Served() as served:
        data = start + ask("evil") * 3
        await served.send(*(data[index : index + step] for index in range(0, len(data), step)))
        assert served.taken == []
        assert served.errors == [REFUSAL]
        assert served.transport.wrote_eof


# Hazard 32.
async def test_http_after_good_requests_ends_the_connection_once_those_are_answered() -> None:
    async with Served("a") as served:
        await served.send(ask("a"), POST % b"" + ask("evil"), ask("evil"))
        assert served.taken == ["a"]
        assert not served.transport.wrote_eof
        await served.let_go("a")
        assert served.errors == ["", REFUSAL]
        assert served.transport.wrote_eof


@pytest.mark.parametrize("word", [b"GETTING on\n", b" GET / HTTP/1.1\n", b"get / HTTP/1.1\n", b"\x16\x02\n"])
async def test_what_only_looks_like_it_is_an_invalid_request_like_any_other(word: bytes) -> None:
    async with Served() as served:
        await served.send(word, ask("next"))
        assert served.commands == ["", "next"]
        assert served.errors[0].startswith("invalid request: ")
