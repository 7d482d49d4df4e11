"""Hazard 11: after thousands of tasks the agent has no zombie and no descriptor more than before."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from agent import Agent
from module_agent import module_agent
from proc import children, descriptors, eventually, zombies

ROUNDS = 500
MIXTURE = (
    ["true"],
    ["/bin/echo", "hi"],
    ["/no/such/file"],
    ["sh", "-c", "kill -9 $$"],
)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--linger-ms", "20") as agent:
        yield agent


async def what_is_open(agent: Agent) -> list[str]:
    """The descriptors of the worker at rest, having opened what it opens at its first client."""
    await agent.run("true")
    worker = agent.worker
    open_now: list[str] = []

    def is_steady() -> bool:
        before, open_now[:] = open_now[:], descriptors(worker)
        return before == open_now

    await eventually(is_steady)
    return open_now


async def has_nothing_left(agent: Agent, before: list[str]) -> None:
    """Descriptors close with the last connection, adopted processes are reaped within about a second."""
    worker = agent.worker
    await eventually(lambda: descriptors(worker) == before)
    await eventually(lambda: children(worker) == [])
    assert zombies(agent.pid) == []


async def test_two_thousand_mixed_tasks_leave_nothing(agent: Agent) -> None:
    before = await what_is_open(agent)

    async def ask_for(command: list[str]) -> set[tuple[int, str]]:
        endings: set[tuple[int, str]] = set()
        async with await agent.connect() as client:
            for _ in range(ROUNDS // 50):
                for _ in range(50):
                    await client.request(command=command)
                for _ in range(50):
                    result = await client.result()
                    endings.add((result["exit_code"], result["output"]))
        return endings

    endings = await asyncio.gather(*(ask_for(command) for command in MIXTURE))
    assert endings == [{(0, "")}, {(0, "hi\n")}, {(-1, "")}, {(137, "")}]
    await has_nothing_left(agent, before)


async def test_timeouts_spooled_output_and_leftover_processes_leave_nothing(agent: Agent) -> None:
    before = await what_is_open(agent)
    async with await agent.connect() as client:
        for _ in range(25):
            await client.request(command=["sleep", "60"], timeout=20)
            await client.request(command=["sh", "-c", "sleep 60 & exit 3"])
            await client.request(command=["head", "-c", "300000", "/dev/zero"])
            await client.request(command=["setsid", "-f", "sleep", "0.2"])
        results = [await client.result() for _ in range(100)]
    assert [result["exit_code"] for result in results] == [-1, 3, 0, 0] * 25
    await has_nothing_left(agent, before)


# Hazard 12, from outside: between the start of a process and the first look at it its client has gone.
async def test_clients_that_disconnect_right_after_requests_leave_nothing(agent: Agent) -> None:
    before = await what_is_open(agent)
    for _ in range(10):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(await agent.connect()) for _ in range(10)]
            for client in clients:
                await client.request(command=["sh", "-c", "sleep 60 & wait"])
            for client in clients:
                client.writer.transport.abort()
    await has_nothing_left(agent, before)
    assert (await agent.run("echo", "next"))["output"] == "next\n"
