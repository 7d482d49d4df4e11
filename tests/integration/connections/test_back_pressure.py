import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from gate import Gate, gate_in
from proc import eventually, memory_kib
from proc_net import port_of, unread_bytes, until_read

IN_FLIGHT = 1024
MIB = 1024 * 1024
LARGE = 64 * MIB
KEY = b',"output":"'
END = b'","error":""}\n'


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as gate:
        yield gate


def padded(*command: str) -> bytes:
    """Return a request that is longer than the agent's read-ahead, so that unread bytes show paused reading."""
    return json.dumps({"command": command, "pad": "x" * (MIB - 1000)}).encode() + b"\n"


async def until_reading_pauses(agent: Agent, client: Client) -> None:
    """Wait until bytes of this client stay in the socket buffer while the agent serves others."""
    port = port_of(client)
    await eventually(lambda: (unread_bytes(agent, port) or 0) > 0)
    seen = -1
    while seen != (seen := unread_bytes(agent, port) or 0):
        async with await agent.connect() as other:
            assert (await other.ask(command=[]))["exit_code"] == -1
    assert seen > 0


async def client_without_read_ahead(agent: Agent) -> Client:
    """Connect with a read buffer of 4 KiB."""
    return Client(*await asyncio.open_connection("127.0.0.1", agent.port, limit=4096))


# Hazard 21.
async def test_client_that_stops_reading_blocks_no_task_and_uses_no_memory(gate: Gate, tmp_path: Path) -> None:
    done = tmp_path / "done"
    async with running_agent() as agent, await client_without_read_ahead(agent) as client:
        await agent.run("true")
        before = memory_kib(agent.worker, "VmHWM")
        await client.request(command=["sh", "-c", f"head -c {LARGE} /dev/zero | tr '\\0' a"])
        # The client reads the beginning, so that sending has begun, and then stops.
        await client.reader.readuntil(KEY)
        # Its next task has a large output too, and can finish.
        await client.request(command=gate.before("sh", "-c", f"head -c {MIB} /dev/zero; touch {done}"))
        await gate.until_waiting(1)
        gate.open()
        await eventually(done.exists)
        for _ in range(20):
            assert (await agent.run("echo", "hi", timeout=10_000))["output"] == "hi\n"
        for _ in range(LARGE // MIB):
            assert await client.reader.readexactly(MIB) == b"a" * MIB
        assert await client.reader.readuntil(b"\n") == END
        assert memory_kib(agent.worker, "VmHWM") - before < 16 * 1024


async def test_reading_is_paused_at_1024_requests_in_flight(gate: Gate) -> None:
    async with running_agent("--max-running", "2") as agent, await agent.connect() as client:
        await client.request(command=gate.before("echo", "first"))
        await client.send((b'{"command":["true"]}\n') * (IN_FLIGHT - 2))
        # The last request that is allowed is as long as a line may be, and read to its last byte.
        await client.send(padded("echo", "last"))
        await until_read(agent, client)
        await client.send(padded("echo", "later"))
        before = memory_kib(agent.worker)
        client.writer.write(padded("echo", "later") * 8)
        await until_reading_pauses(agent, client)
        assert memory_kib(agent.worker) - before < 4 * 1024
        gate.open()
        outputs = [(await client.result())["output"] for _ in range(IN_FLIGHT + 9)]
        assert outputs == ["first\n", *[""] * (IN_FLIGHT - 2), "last\n", *["later\n"] * 9]


async def test_full_queue_pauses_reading_from_all_clients(gate: Gate) -> None:
    options = ("--max-running", "1", "--max-queued", "3")
    async with running_agent(*options) as agent, await agent.connect() as filling, await agent.connect() as other:
        for number in range(4):
            await filling.request(command=gate.before("echo", str(number)))
        await gate.until_waiting(1)
        for client in (filling, other):
            await client.send(padded("echo", "more"))
            client.writer.write(padded("echo", "more") * 10)
        ports = [port_of(client) for client in (filling, other)]
        await eventually(lambda: all(unread_bytes(agent, port) for port in ports))
        gate.open()
        assert [(await filling.result())["output"] for _ in range(4)] == [f"{number}\n" for number in range(4)]
        for client in (filling, other):
            assert [(await client.result())["output"] for _ in range(11)] == ["more\n"] * 11
