# Hazard 32: nothing in data meant for another protocol (from a web page, or a client of the wrong port) is executed.
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, Client
from first_bytes import RECORDED, SPECIFIED
from hypothesis import given
from hypothesis import strategies as st
from module_agent import module_agent
from proc_net import until_read

MAX_LINE = 4096
MIB = 1024 * 1024
HEADERS = b"HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n"
BLANKS = b"\r\n \t" * (3 * MIB // 4)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--max-line", str(MAX_LINE)) as agent:
        yield agent


@pytest.fixture
def trace(agent: Agent, tmp_path: Path) -> Iterator[Path]:
    """The file that the smuggled command would create."""
    trace = tmp_path / "executed"
    yield trace
    assert "died" not in agent.log_text()
    assert not trace.exists()


def smuggled(trace: Path) -> bytes:
    return b"\n" + json.dumps({"command": ["touch", str(trace)]}).encode() + b"\n"


async def check_refused(agent: Agent, client: Client) -> None:
    """Check that there is one error result, then end-of-file; by then all data is processed, and others run."""
    lines = (await client.at_end()).splitlines()
    assert len(lines) == 1
    result = json.loads(lines[0])
    assert (result["command"], result["exit_code"], result["output"]) == ([], -1, "")
    assert result["error"].startswith("refused: this port takes JSON objects")
    assert (await agent.run("echo", "others"))["output"] == "others\n"


async def test_smuggled_request_would_run_on_its_own(agent: Agent, tmp_path: Path) -> None:
    async with await agent.connect() as client:
        await client.send(b"{}" + smuggled(tmp_path / "executed"))
        assert [(await client.result())["exit_code"] for _ in range(2)] == [-1, 0]
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("protocol", RECORDED | SPECIFIED)
async def test_connection_that_begins_with_other_protocol_is_rejected_entirely(
    agent: Agent, trace: Path, protocol: str
) -> None:
    async with await agent.connect() as client:
        await client.send((RECORDED | SPECIFIED)[protocol] + smuggled(trace) * 3)
        client.writer.write_eof()
        await check_refused(agent, client)


@pytest.mark.parametrize("length", [MAX_LINE - 20, MAX_LINE, MAX_LINE + 1, MIB])
async def test_url_longer_than_line_limit_hides_no_request(agent: Agent, trace: Path, length: int) -> None:
    async with await agent.connect() as client:
        await client.send(b"FOO /" + b"a" * length + b" " + HEADERS + smuggled(trace))
        await check_refused(agent, client)


async def test_three_megabytes_of_blanks_hide_no_request(agent: Agent, trace: Path) -> None:
    async with await agent.connect() as client:
        await client.send(BLANKS + b"FOO / " + HEADERS + smuggled(trace))
        await check_refused(agent, client)


async def test_request_after_three_megabytes_of_blanks_runs(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.send(BLANKS)
        assert (await client.ask(command=["echo", "late"]))["output"] == "late\n"


@pytest.mark.parametrize("begins", [b"\n\r \tF", b"\xef\xbb\xbf", b"[", b"\0"])
async def test_first_byte_decides_however_late_the_others_arrive(agent: Agent, trace: Path, begins: bytes) -> None:
    async with await agent.connect() as client:
        for byte in begins:
            await client.send(bytes([byte]))
            await until_read(agent, client)
        await client.send(smuggled(trace))
        await check_refused(agent, client)


@given(
    st.text(" \t\r\n", max_size=9).map(str.encode),
    st.binary(min_size=1, max_size=30).filter(lambda begins: begins[0] not in b"{ \t\r\n"),
    st.integers(0, 100),
)
def test_nothing_runs_after_any_foreign_prefix(
    agent: Agent, tmp_path_factory: pytest.TempPathFactory, blanks: bytes, begins: bytes, place: int
) -> None:
    trace = tmp_path_factory.getbasetemp() / "executed"
    stream = blanks + begins + smuggled(trace) * 3
    with socket.create_connection(("127.0.0.1", agent.port)) as client:
        client.settimeout(20)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(stream[:place])
        client.sendall(stream[place:])
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.count(b"refused: this port takes JSON objects") == answer.count(b"\n") == 1
    assert not trace.exists()


@pytest.mark.parametrize("line", [b"FOO / HTTP/1.1", b"\x16\x03\x01", b"[]", b"x" * 2 * MAX_LINE])
async def test_foreign_line_after_valid_object_is_invalid_and_next_line_works(agent: Agent, line: bytes) -> None:
    async with await agent.connect() as client:
        assert (await client.ask(command=["echo", "begun"]))["output"] == "begun\n"
        await client.send(line + b"\n")
        assert (await client.result())["error"].startswith("invalid request: ")
        assert (await client.ask(command=["echo", "next"]))["output"] == "next\n"


async def test_request_that_contains_http_text_runs(agent: Agent) -> None:
    text = "POST / HTTP/1.1"
    assert (await agent.run("echo", text))["output"] == text + "\n"
