"""What one task costs the agent, as a number of function calls: exact, and the same on a slow or busy machine."""

import asyncio
import time
from pathlib import Path

import agent as support
import pytest
from agent import Agent, running_agent

COUNTER = Path(support.__file__).with_name("call_counter")
CONNECTIONS = 8
WARM_UP, TASKS, ATTEMPTS = 200, 400, 4
MAX_CALLS = {1: 100, 2: 108}
"""By number of workers, for a `/bin/true`. A feature that makes all tasks pay shows up here: it should not."""


def calls(folder: Path) -> int:
    return sum(int.from_bytes(path.read_bytes(), "little") for path in folder.iterdir())


async def run_tasks(agent: Agent, tasks: int) -> None:
    async def client(share: int) -> None:
        async with await agent.connect() as connection:
            for _ in range(share):
                assert (await connection.ask(command=["/bin/true"]))["exit_code"] == 0

    await asyncio.gather(*(client(tasks // CONNECTIONS) for _ in range(CONNECTIONS)))


@pytest.mark.parametrize("workers", MAX_CALLS)
async def test_task_takes_no_more_than_so_many_function_calls(workers: int, tmp_path: Path) -> None:
    counter = {"COUNT_CALLS_IN": str(tmp_path), "PYTHONPATH": str(COUNTER)}
    async with running_agent(f"--workers={workers}", environment=counter) as agent:
        await run_tasks(agent, WARM_UP)
        # On a busy machine fewer events come at once, which adds calls: the best of several runs counts.
        costs: list[float] = []
        while len(costs) < ATTEMPTS and min(costs, default=MAX_CALLS[workers] + 1) > MAX_CALLS[workers]:
            before, began = calls(tmp_path), time.monotonic()
            await run_tasks(agent, TASKS)
            middle, seconds = calls(tmp_path), time.monotonic() - began
            # What is called without tasks, such as the heartbeats, depends on the time alone.
            await asyncio.sleep(seconds)
            idle = calls(tmp_path) - middle
            costs.append((middle - before - idle) / TASKS)
        assert 20 < min(costs) <= MAX_CALLS[workers], costs
