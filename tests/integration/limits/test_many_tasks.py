"""Hazard 11: after thousands of tasks the agent has no zombies and no more descriptors than before."""

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


async def idle_descriptors(agent: Agent) -> list[str]:
    """Return the descriptors of the idle worker, after it has opened what it opens for its first client."""
    await agent.run("true")
    worker = agent.worker
    open_now: list[str] = []

    def is_steady() -> bool:
        before, open_now[:] = open_now[:], descriptors(worker)
        return before == open_now

    await eventually(is_steady)
    return open_now


async def check_nothing_left(agent: Agent, before: list[str]) -> None:
    """Wait until descriptors are closed, with the last connection, and adopted processes reaped, in about a second."""
    worker = agent.worker
    await eventually(lambda: descriptors(worker) == before)
    await eventually(lambda: children(worker) == [])
    assert zombies(agent.pid) == []


async def test_two_thousand_mixed_tasks_leave_nothing(agent: Agent) -> None:
    before = await idle_descriptors(agent)

    async def outcomes_of(command: list[str]) -> set[tuple[int, str]]:
        outcomes: set[tuple[int, str]] = set()
        async with await agent.connect() as client:
            for _ in range(ROUNDS // 50):
                for _ in range(50):
                    await client.request(command=command)
                for _ in range(50):
                    result = await client.result()
                    outcomes.add((result["exit_code"], result["output"]))
        return outcomes

    outcomes = await asyncio.gather(*(outcomes_of(command) for command in MIXTURE))
    assert outcomes == [{(0, "")}, {(0, "hi\n")}, {(-1, "")}, {(137, "")}]
    await check_nothing_left(agent, before)


async def test_timeouts_spooled_output_and_leftover_processes_leave_nothing(agent: Agent) -> None:
    before = await idle_descriptors(agent)
    async with await agent.connect() as client:
        for _ in range(25):
            await client.request(command=["sleep", "60"], timeout=20)
            await client.request(command=["sh", "-c", "sleep 60 & exit 3"])
            await client.request(command=["head", "-c", "300000", "/dev/zero"])
            await client.request(command=["setsid", "-f", "sleep", "0.2"])
        results = [await client.result() for _ in range(100)]
    assert [result["exit_code"] for result in results] == [-1, 3, 0, 0] * 25
    await check_nothing_left(agent, before)


# Hazard 12, end to end: the client disconnects between the start of a process and its first check.
async def test_clients_that_disconnect_right_after_requests_leave_nothing(agent: Agent) -> None:
    before = await idle_descriptors(agent)
    for _ in range(10):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(await agent.connect()) for _ in range(10)]
            for client in clients:
                await client.request(command=["sh", "-c", "sleep 60 & wait"])
            for client in clients:
                client.writer.transport.abort()
    await check_nothing_left(agent, before)
    assert (await agent.run("echo", "next"))["output"] == "next\n"
