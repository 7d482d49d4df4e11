# Hazards 26 and 28: a half-closed client gets its results; a disconnected one loses its tasks, if so configured.
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from disconnects import DISCONNECTS, close, reset
from gate import Gate, gate_in
from module_agent import module_agent
from proc import eventually
from proc_net import until_read

IN_FLIGHT = 4


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--max-in-flight", str(IN_FLIGHT)) as agent:
        yield agent


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as gate:
        yield gate


# Hazard 26.
async def test_half_closed_client_gets_all_late_results_then_eof(agent: Agent) -> None:
    async with await agent.connect() as client:
        # Longer than two checks of the peer take.
        for command in (["sh", "-c", "sleep 1.2; echo slow"], ["echo", "fast"], []):
            await client.request(command=command)
        client.writer.write_eof()
        answers = [json.loads(line) for line in (await client.at_end()).splitlines()]
        assert [answer["output"] for answer in answers] == ["slow\n", "fast\n", ""]


# Hazard 26.
async def test_half_closed_client_with_more_than_max_in_flight_gets_all_results(agent: Agent, gate: Gate) -> None:
    async with await agent.connect() as client:
        for number in range(5 * IN_FLIGHT):
            await client.request(command=gate.before("echo", str(number)))
        client.writer.write_eof()
        await gate.until_waiting(IN_FLIGHT)
        gate.open()
        answers = [json.loads(line) for line in (await client.at_end()).splitlines()]
        assert [answer["output"] for answer in answers] == [f"{number}\n" for number in range(5 * IN_FLIGHT)]


# Hazard 26.
async def test_half_close_without_requests_is_closed(agent: Agent) -> None:
    async with await agent.connect() as client:
        client.writer.write_eof()
        assert await client.at_end() == b""


# Hazard 26.
async def test_half_closed_client_that_disconnects_loses_its_tasks(agent: Agent, gate: Gate) -> None:
    clients = [await agent.connect() for _ in (close, reset)]
    for client in clients:
        await client.request(command=gate.before("true"))
        client.writer.write_eof()
    await gate.until_waiting(2)
    # Longer than the time between two checks of the peer, which have found both connected.
    assert (await agent.run("sleep", "0.7"))["exit_code"] == 0
    assert gate.waiting() == 2
    for client, disconnect in zip(clients, (close, reset), strict=True):
        disconnect(client)
    await gate.until_none_waiting()


# Hazard 28.
async def test_tasks_of_disconnected_client_finish_if_so_configured(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        async with running_agent("--lost-client", "finish", "--max-running", "1") as agent:
            done = [tmp_path / f"done-{number}" for number in range(2 * len(DISCONNECTS))]
            for number, disconnect in enumerate(DISCONNECTS):
                client = await agent.connect()
                await client.request(command=gate.before("touch", str(done[2 * number])))
                await client.request(command=["touch", str(done[2 * number + 1])])
                await until_read(agent, client)
                disconnect(client)
            await gate.until_waiting(1)
            await eventually(lambda: agent.log_text().count("client disconnected") == len(DISCONNECTS))
            gate.open()
            await eventually(lambda: all(file.exists() for file in done))
            assert (await agent.run("echo", "others"))["output"] == "others\n"
