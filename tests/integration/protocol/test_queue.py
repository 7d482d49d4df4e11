"""How many tasks run at once, in which order queued ones start, and that queueing time counts for nothing."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from proc import eventually
from programs import made


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """Runs one task at a time."""
    with module_agent("--max-running", "1") as agent:
        yield agent


async def test_queueing_time_counts_neither_as_duration_nor_for_timeout(agent: Agent) -> None:
    async with await agent.connect() as client:
        began = time.time()
        await client.request(command=["sleep", "1.2"])
        await client.request(command=["echo", "after"], timeout=1000)
        await client.request(command=["/no/such/file"])
        first, second, third = [await client.result() for _ in range(3)]
    assert first["duration_ms"] >= 1200
    assert (second["exit_code"], second["output"], second["error"]) == (0, "after\n", "")
    assert second["duration_ms"] < 1000
    assert third["duration_ms"] < 1000
    assert second["executed_at"] >= int(began + 1.2)


async def test_requests_start_in_order_of_arrival_across_clients(agent: Agent, tmp_path: Path) -> None:
    order = made(tmp_path / "order", "")
    async with await agent.connect() as one, await agent.connect() as other:
        await one.request(command=["sleep", "1"], id="first of all")
        for turn in range(0, 40, 2):
            for client, number in ((one, turn), (other, turn + 1)):
                await client.request(command=["sh", "-c", f"echo {number} >> {order}"], id=number)
                # There is no order between connections; the result of a later request shows that this one was read.
                await client.request(command=[], id="after it")
                while (await client.result())["id"] != "after it":
                    pass
        await eventually(lambda: len(read(order)) == 40)
    assert read(order) == [str(number) for number in range(40)]


def read(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


async def test_max_running_tasks_run_at_once(tmp_path: Path) -> None:
    marks = made(tmp_path / "marks", "")
    async with running_agent("--max-running", "3") as agent, await agent.connect() as client:
        for _ in range(12):
            await client.request(command=["sh", "-c", f"echo 1 >> {marks}; sleep 0.1; echo -1 >> {marks}"])
        for _ in range(12):
            assert (await client.result())["exit_code"] == 0
    running, most = 0, 0
    for line in read(marks):
        running += int(line)
        most = max(most, running)
    assert (most, running) == (3, 0)


# The agent holds the output once the process has exited, so its slot is free for others.
async def test_client_that_does_not_read_holds_no_slot(agent: Agent) -> None:
    command = ["sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x"]
    with socket.create_connection(("127.0.0.1", agent.port)) as lazy:
        lazy.sendall(json.dumps({"command": command}).encode() + b"\n")
        async with await agent.connect() as client:
            for _ in range(10):
                result = await client.ask(command=["echo", "served"], timeout=30_000)
                assert result["output"] == "served\n"
        with lazy.makefile("rb") as answers:
            late = json.loads(answers.readline())
    assert (late["exit_code"], len(late["output"])) == (0, 20_000_000)
