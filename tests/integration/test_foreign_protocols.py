# Hazard 32: what a web page, or whoever takes this port for another, can make a browser send is never executed.
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, Client
from shared import shared_agent

MAX_LINE = 4096
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
HEADERS = b"HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n"


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with shared_agent("--max-line", str(MAX_LINE)) as agent:
        yield agent


@pytest.fixture
def trace(agent: Agent, tmp_path: Path) -> Iterator[Path]:
    """What the smuggled command would leave behind."""
    trace = tmp_path / "executed"
    yield trace
    assert "died" not in agent.log_text()
    assert not trace.exists()


def smuggled(trace: Path) -> bytes:
    return json.dumps({"command": ["touch", str(trace)]}).encode() + b"\n"


async def check_refused(agent: Agent, client: Client) -> None:
    """See one error result and the end; by then everything that was sent has been dealt with, as by others' tasks."""
    lines = (await client.at_end()).splitlines()
    assert len(lines) == 1
    result = json.loads(lines[0])
    assert (result["command"], result["exit_code"], result["output"]) == ([], -1, "")
    assert result["error"].startswith("refused: ")
    assert "HTTP" in result["error"]
    assert (await agent.run("echo", "others"))["output"] == "others\n"


@pytest.mark.parametrize("opening", [*(f"{method} / ".encode() for method in METHODS), b"PRI * "], ids=repr)
async def test_a_request_of_http_is_refused_with_all_that_follows(agent: Agent, trace: Path, opening: bytes) -> None:
    async with await agent.connect() as client:
        await client.send(opening + HEADERS + smuggled(trace) * 3)
        await check_refused(agent, client)


async def test_a_handshake_of_tls_is_refused_with_all_that_follows(agent: Agent, trace: Path) -> None:
    async with await agent.connect() as client:
        await client.send(CLIENT_HELLO + b"\n" + smuggled(trace))
        await check_refused(agent, client)


@pytest.mark.parametrize("length", [MAX_LINE - 20, MAX_LINE, MAX_LINE + 1, 1024 * 1024])
async def test_a_url_longer_than_a_line_hides_nothing(agent: Agent, trace: Path, length: int) -> None:
    async with await agent.connect() as client:
        await client.send(b"POST /" + b"a" * length + b" " + HEADERS + smuggled(trace))
        await check_refused(agent, client)


async def test_a_method_in_pieces_is_recognized(agent: Agent, trace: Path) -> None:
    async with await agent.connect() as client:
        for piece in (b"PO", b"S", b"T", b" /", b"a" * 2 * MAX_LINE, b" ", HEADERS, smuggled(trace)):
            await client.send(piece)
        await check_refused(agent, client)


@pytest.mark.parametrize("foreign", [b"POST / " + HEADERS, b"GET /" + b"a" * 2 * MAX_LINE + HEADERS, CLIENT_HELLO])
@pytest.mark.parametrize("before", [b"\r\n\r\n", b"x" * 2 * MAX_LINE + b"\n", b"[]\n", b'{"command":["true"]}\n'])
async def test_in_a_later_line_too(agent: Agent, trace: Path, before: bytes, foreign: bytes) -> None:
    async with await agent.connect() as client:
        await client.send(before + foreign + b"\n" + smuggled(trace))
        if before.strip():
            assert "refused" not in (await client.result())["error"]
        await check_refused(agent, client)


async def test_what_was_sent_before_is_run_and_answered(agent: Agent, trace: Path) -> None:
    async with await agent.connect() as client:
        await client.request(command=["sh", "-c", "sleep 0.2; echo asked before"])
        await client.send(b"GET / " + HEADERS + smuggled(trace))
        assert (await client.result())["output"] == "asked before\n"
        await check_refused(agent, client)


async def test_a_request_whose_text_speaks_of_http_is_a_request(agent: Agent) -> None:
    text = "POST / HTTP/1.1"
    assert (await agent.run("echo", text))["output"] == text + "\n"
