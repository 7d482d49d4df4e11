"""However much a process writes, the agent's memory is constant: its output is never one object."""

import json
from collections.abc import Iterator

import pytest
from agent import Agent, Client, running_agent
from module_agent import module_agent
from proc import memory_kib

MAX_GROWTH_KIB = 64 * 1024
MB = 1_000_000


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


async def skim(client: Client, lines: int = 1) -> tuple[bytes, int, bytes]:
    """Read results without keeping them; return the first bytes, the total length, and the last bytes."""
    head, length, tail = b"", 0, b""
    while lines:
        piece = await client.reader.read(256 * 1024)
        assert piece, "the connection ended in the middle of a result"
        head = (head + piece)[:100] if len(head) < 100 else head
        length += len(piece)
        tail = (tail + piece)[-200:]
        lines -= piece.count(b"\n")
    return head, length, tail


def error_in(tail: bytes) -> str:
    """Read the key after the output."""
    error: str = json.loads(b'{"error"' + tail.rpartition(b'"error"')[2])["error"]
    return error


async def peak_kib_of(agent: Agent, *command: str, **fields: object) -> tuple[tuple[bytes, int, bytes], int]:
    """Run a task and skim its result; return that, and the growth of the worker's memory at its peak."""
    assert (await agent.run("echo", "warm"))["output"] == "warm\n"
    idle = memory_kib(agent.worker)
    async with await agent.connect() as client:
        await client.request(command=list(command), **fields)
        line = await skim(client)
    return line, memory_kib(agent.worker, "VmHWM") - idle


async def test_300_megabytes_arrive_complete_in_constant_memory(agent: Agent) -> None:
    written = 300 * MB
    (head, length, tail), grown = await peak_kib_of(agent, "sh", "-c", f"head -c {written} /dev/zero | tr '\\0' x")
    assert error_in(tail) == ""
    assert head.startswith(b'{"command":["sh"')
    assert 100 < length - written < 250
    assert grown < MAX_GROWTH_KIB


# Hazard 17.
async def test_endless_output_until_timeout_uses_constant_memory(agent: Agent) -> None:
    (_, length, tail), grown = await peak_kib_of(agent, "yes", timeout=300)
    assert error_in(tail) == "timeout exceeded"
    assert tail.count(b"y\\ny\\ny\\n") > 0
    assert length > 10_000
    assert grown < MAX_GROWTH_KIB


# Hazard 17.
async def test_endless_output_until_output_limit_uses_constant_memory() -> None:
    limit = 100 * MB
    async with running_agent("--max-output", str(limit)) as agent:
        (_, length, tail), grown = await peak_kib_of(agent, "yes")
        assert error_in(tail) == "output limit exceeded"
        # A newline takes two characters in JSON.
        assert 0 < length - limit * 3 // 2 < 250
        assert grown < MAX_GROWTH_KIB


# Each output is too small to be spooled on its own; their sum exceeds the limit.
async def test_large_output_of_many_tasks_stays_within_shared_memory_limit() -> None:
    async with running_agent("--max-held", "8MiB") as agent:
        await agent.run("true")
        idle = memory_kib(agent.worker)
        async with await agent.connect() as client:
            # The first result delays all others, which hold their output meanwhile.
            await client.request(command=["sleep", "2"])
            for _ in range(200):
                await client.request(command=["sh", "-c", "head -c 250000 /dev/zero | tr '\\0' x"])
            _, length, _ = await skim(client, 201)
        assert length > 200 * 250_000
        assert memory_kib(agent.worker, "VmHWM") - idle < 32 * 1024
