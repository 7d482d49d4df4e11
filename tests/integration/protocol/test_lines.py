import json
from collections.abc import Iterator

import pytest
from agent import Agent, running_agent
from disconnects import DISCONNECTS, Disconnect
from module_agent import module_agent
from proc import memory_kib
from proc_net import until_read

KIB = 1024
MIB = 1024 * KIB
MAX_LINE = MIB


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


def line_of(length: int, *command: str) -> bytes:
    """Return a request line of `length` bytes, not counting the newline."""
    bare = json.dumps({"command": command, "pad": ""}).encode()
    return bare[:-2] + b"x" * (length - len(bare)) + b'"}\n'


# Hazard 22.
@pytest.mark.parametrize("length", [63 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 65 * KIB, MAX_LINE - 1, MAX_LINE])
async def test_line_within_limit_is_accepted(agent: Agent, length: int) -> None:
    line = line_of(length, "echo", "hi")
    assert len(line) == length + 1
    async with await agent.connect() as client:
        await client.send(line)
        assert (await client.result())["output"] == "hi\n"


# Hazard 22.
@pytest.mark.parametrize("length", [63 * KIB, 64 * KIB, 65 * KIB])
async def test_long_argument_arrives_and_is_echoed_completely(agent: Agent, length: int) -> None:
    argument = "".join(chr(0x61 + index % 26) for index in range(length))
    result = await agent.run("printf", "%s", argument)
    assert result["command"] == ["printf", "%s", argument]
    assert (result["exit_code"], result["output"], result["error"]) == (0, argument, "")


# Hazard 22.
async def test_line_one_byte_over_limit_is_rejected_and_next_line_works(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.send(line_of(MAX_LINE + 1, "echo", "over") + line_of(100, "echo", "next"))
        over, following = await client.result(), await client.result()
        assert (over["command"], over["exit_code"], over["output"]) == ([], -1, "")
        assert over["error"] == f"invalid request: The line is longer than {MAX_LINE} bytes"
        assert following["output"] == "next\n"


# Hazard 22.
async def test_100_mb_without_newline_are_rejected_once_in_constant_memory() -> None:
    # A separate agent, so that its peak memory is this test's.
    async with running_agent() as agent, await agent.connect() as client:
        assert (await client.ask(command=["echo", "before"]))["output"] == "before\n"
        before = memory_kib(agent.worker, "VmHWM")
        await client.send(b"{")
        piece = b"x" * MIB
        for _ in range(100):
            await client.send(piece)
        assert "longer than" in (await client.result())["error"]
        await client.send(b"\n")
        assert (await client.ask(command=["echo", "after"]))["output"] == "after\n"
        assert memory_kib(agent.worker, "VmHWM") - before < 16 * KIB


# Hazard 24.
async def test_request_may_arrive_one_byte_at_a_time(agent: Agent) -> None:
    async with await agent.connect() as client:
        for byte in b'{"command":["echo","sl\xc3\xb6wly"]}\n':
            await client.send(bytes([byte]))
            await until_read(agent, client)
        assert (await client.result())["output"] == "slöwly\n"


# Hazard 24.
async def test_hundred_requests_may_arrive_in_one_packet(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.send(b"".join(line_of(100, "echo", str(number)) for number in range(100)))
        assert [(await client.result())["output"] for _ in range(100)] == [f"{number}\n" for number in range(100)]


# Hazard 24.
@pytest.mark.parametrize("kept", [1, 2, 3])
async def test_request_may_be_split_inside_a_character(agent: Agent, kept: int) -> None:
    before, character, after = b'{"command":["echo","', "🐌".encode(), b'"]}\n'
    async with await agent.connect() as client:
        await client.send(before + character[:kept])
        await until_read(agent, client)
        await client.send(character[kept:] + after)
        assert (await client.result())["output"] == "🐌\n"


# Hazard 25.
@pytest.mark.parametrize("disconnect", DISCONNECTS)
async def test_partial_line_of_dead_client_affects_no_other_client(agent: Agent, disconnect: Disconnect) -> None:
    line = line_of(200, "echo", "half")
    for kept in (1, len(line) // 2, len(line) - 2):
        dying = await agent.connect()
        await dying.send(line[:kept])
        await until_read(agent, dying)
        disconnect(dying)
        # What would complete the dead client's line is just an invalid line of this client.
        async with await agent.connect() as client:
            await client.send(b"{}\n" + line[kept:] + line_of(100, "echo", "mine"))
            assert (await client.result())["error"].startswith("invalid request: ")
            assert (await client.result())["error"].startswith("invalid request: ")
            assert (await client.result())["output"] == "mine\n"
            client.writer.write_eof()
            assert await client.at_end() == b""


@pytest.mark.parametrize(("sent", "outputs"), [
    (b'\n \r\n\n{"command":["echo","1"]}\n\n', ["1\n"]),
    (b'{"command":["echo","1"]}\r\n\r\n{"command":["echo","2"]}\r\n', ["1\n", "2\n"]),
    (b'{"command":["echo","1"]}\n{"command":["echo","last"]}', ["1\n", "last\n"]),
    (b'{"command":["echo","1"]}\n{"command":["echo","la', ["1\n"]),
])  # fmt: skip
async def test_blank_lines_are_ignored_and_last_line_needs_no_newline(
    agent: Agent, sent: bytes, outputs: list[str]
) -> None:
    async with await agent.connect() as client:
        await client.send(sent)
        client.writer.write_eof()
        answers = (await client.at_end()).splitlines()
        assert [json.loads(answer)["output"] for answer in answers] == outputs
