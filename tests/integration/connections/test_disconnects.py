# Hazard 26: whenever and however a client disconnects, its tasks are killed within about a second and all its
# resources are released.
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from agent import Agent, Client
from disconnects import DISCONNECTS, Disconnect
from gate import Gate, gate_in
from module_agent import module_agent
from proc import descriptors, eventually
from proc_net import port_of, unread_bytes, until_closed, until_read

RUNNING = 2
IN_FLIGHT = 4
LARGE = 32 * 1024 * 1024

pytestmark = pytest.mark.parametrize("disconnect", DISCONNECTS)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--max-running", str(RUNNING), "--max-in-flight", str(IN_FLIGHT)) as agent:
        yield agent


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as gate:
        yield gate


@pytest.fixture
async def client(agent: Agent) -> AsyncIterator[Client]:
    """The agent's only client, which the test disconnects; it reads nothing ahead.

    Afterwards the agent has as many descriptors as before, and its slots are free.
    """
    client = Client(*await asyncio.open_connection("127.0.0.1", agent.port, limit=4096))
    assert (await client.ask(command=["echo", "before"]))["output"] == "before\n"
    with_client = len(descriptors(agent.worker))
    port = port_of(client)
    yield client
    await until_closed(agent, port)
    await eventually(lambda: len(descriptors(agent.worker)) == with_client - 1)
    async with await agent.connect() as other:
        await other.send(b'{"command":["echo","after"],"timeout":20000}\n' * (RUNNING + 1))
        assert [(await other.result())["output"] for _ in range(RUNNING + 1)] == ["after\n"] * (RUNNING + 1)
        port = port_of(other)
    await until_closed(agent, port)


async def test_disconnect_before_first_byte(agent: Agent, disconnect: Disconnect) -> None:
    clients = [await agent.connect() for _ in range(20)]
    for client in clients:
        port = port_of(client)
        disconnect(client)
        await until_closed(agent, port)
    assert (await agent.run("echo", "others"))["output"] == "others\n"


async def test_disconnect_in_middle_of_line(agent: Agent, client: Client, disconnect: Disconnect) -> None:
    await client.send(b'{"command":["echo"')
    await until_read(agent, client)
    disconnect(client)


async def test_disconnect_while_task_runs(client: Client, gate: Gate, disconnect: Disconnect) -> None:
    await client.request(command=gate.before("true"))
    await gate.until_waiting(1)
    disconnect(client)
    await gate.until_none_waiting()


async def test_disconnect_while_task_is_queued(
    client: Client, gate: Gate, disconnect: Disconnect, tmp_path: Path
) -> None:
    requests = [gate.before("true"), gate.before("true"), ["touch", str(tmp_path / "ran")]]
    await client.send(b"".join(json.dumps({"command": command}).encode() + b"\n" for command in requests))
    await gate.until_waiting(RUNNING)
    disconnect(client)
    await gate.until_none_waiting()
    assert not (tmp_path / "ran").exists()


async def test_disconnect_while_reading_is_paused_at_max_in_flight(
    agent: Agent, client: Client, gate: Gate, disconnect: Disconnect
) -> None:
    line = json.dumps({"command": gate.before("true")}).encode() + b"\n"
    await client.send(line * IN_FLIGHT)
    await gate.until_waiting(RUNNING)
    # Its end-of-file is behind unread bytes in the socket buffer, so that only a check of the peer detects it.
    await client.send(line)
    port = port_of(client)
    await eventually(lambda: (unread_bytes(agent, port) or 0) > 0)
    disconnect(client)
    await gate.until_none_waiting()


async def test_disconnect_while_result_is_sent_but_not_read(client: Client, disconnect: Disconnect) -> None:
    await client.request(command=["head", "-c", str(LARGE), "/dev/zero"])
    await client.reader.readuntil(b',"output":"')
    disconnect(client)


async def test_disconnect_while_result_waits_for_earlier_ones(
    client: Client, gate: Gate, disconnect: Disconnect
) -> None:
    await client.request(command=gate.before("true"))
    await client.request(command=["head", "-c", str(LARGE), "/dev/zero"])
    assert (await client.ask(command=["true"], id=1))["id"] == 1
    disconnect(client)
    await gate.until_none_waiting()


async def test_disconnect_with_unread_result(agent: Agent, client: Client, disconnect: Disconnect) -> None:
    await client.request(command=["echo", "unread"])
    await until_read(agent, client)
    disconnect(client)


async def test_disconnect_after_last_result(client: Client, disconnect: Disconnect) -> None:
    assert (await client.ask(command=["echo", "read"]))["output"] == "read\n"
    disconnect(client)
