"""A worker runs out of memory with requests in flight: each gets a result or its connection closes; nothing leaks."""

import asyncio
import contextlib
import os
import resource
from typing import Any

from agent import Agent, Client, running_agent
from proc import alive_with, children, descriptors, eventually, memory_kib, settled_descriptors

# Unique to this run, since others may run at the same time.
MARKER = f"62.{os.getpid()}"
COMMANDS = (
    ["sh", "-c", "head -c 3000000 /dev/zero; exec sleep 0.3"],
    ["sleep", MARKER],
    ["sh", "-c", f"sleep {MARKER} & echo text"],
)
CLIENTS = 24
MORE_KIB = (0, 300, 2000)
"""How much a worker may allocate in addition: nothing, very little, enough for some tasks."""
STOP_SECONDS = 15.0


def limit_memory(pid: int, size: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (size, hard))


async def answer(client: Client) -> dict[str, Any] | None:
    """Return the result; None where the connection was closed instead."""
    try:
        return await client.result()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def in_flight(agent: Agent, stack: contextlib.AsyncExitStack) -> list[asyncio.Task[dict[str, Any] | None]]:
    """Start a task for each client; return the pending results."""
    clients = [await stack.enter_async_context(await agent.connect()) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        await client.request(command=COMMANDS[number % len(COMMANDS)], timeout=1000)
    return [asyncio.create_task(answer(client)) for client in clients]


async def test_out_of_memory_each_request_gets_result_or_its_connection_closes() -> None:
    async with running_agent("--workers", "1") as agent:
        assert (await agent.run("sh", "-c", ":"))["exit_code"] == 0
        for more in MORE_KIB:
            (worker,) = agent.workers
            before = await settled_descriptors(worker)
            async with contextlib.AsyncExitStack() as stack:
                answers = await in_flight(agent, stack)
                limit_memory(worker, (memory_kib(worker, "VmSize") + more) * 1024)
                await asyncio.gather(*answers)
            with contextlib.suppress(ProcessLookupError):
                limit_memory(worker, resource.RLIM_INFINITY)
            await eventually(lambda: alive_with(MARKER) == [])
            await eventually(lambda: len(agent.workers) == 1)
            # Work that lack of memory prevented, such as a check for exited children, is done with the next task.
            assert (await agent.run("echo", "well"))["output"] == "well\n"
            if agent.workers == [worker]:
                await eventually(lambda: len(descriptors(worker)) <= len(before))  # noqa: B023 -- called at once
                await eventually(lambda: children(worker) == [])  # noqa: B023


async def test_out_of_memory_agent_shuts_down_in_time() -> None:
    async with running_agent("--workers", "1") as agent, contextlib.AsyncExitStack() as stack:
        worker = agent.worker
        answers = await in_flight(agent, stack)
        limit_memory(worker, memory_kib(worker, "VmSize") * 1024)
        async with asyncio.timeout(STOP_SECONDS):
            await agent.stop()
        await asyncio.gather(*answers)
        await eventually(lambda: alive_with(MARKER) == [])
