"""Several workers behave as one agent: limits are totals, nobody starves, connections spread, deaths cost no slot."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from proc import eventually

WHO = ["sh", "-c", "echo $PPID"]
"""Its parent is the worker that serves the connection."""
BOUND_SECONDS = 30.0


async def worker_of(client: Client) -> int:
    return int((await client.ask(command=WHO))["output"])


async def connected(agent: Agent, stack: AsyncExitStack, count: int) -> list[Client]:
    """Connect so many clients at once."""
    clients = await asyncio.gather(*(agent.connect() for _ in range(count)))
    return [await stack.enter_async_context(client) for client in clients]


async def until_all_accept(agent: Agent, workers: int) -> dict[int, Client]:
    """Connect until each worker serves a client; return one of each. The agent listens once its first worker does."""
    clients: dict[int, Client] = {}
    async with asyncio.timeout(BOUND_SECONDS):
        while len(clients) < workers:
            client = await agent.connect()
            pid = await worker_of(client)
            if pid in clients:
                client.writer.close()
                await asyncio.sleep(0.01)
            else:
                clients[pid] = client
    return clients


async def on_different_workers(agent: Agent, stack: AsyncExitStack) -> tuple[Client, Client]:
    first, second = (await until_all_accept(agent, 2)).values()
    return await stack.enter_async_context(first), await stack.enter_async_context(second)


async def running_at_once(agent: Agent, folder: Path, count: int, wanted: int) -> int:
    """Send `count` tasks over several connections; return how many run at once, after at least `wanted` run."""
    for old in folder.iterdir():
        old.unlink()
    async with AsyncExitStack() as stack:
        clients = await connected(agent, stack, 8)
        script = f"echo > {folder}/$$; sleep 30"
        for number in range(count):
            await clients[number % 8].request(command=["sh", "-c", script])
        await eventually(lambda: len(list(folder.iterdir())) >= wanted)
        # One that should not run would have started by then.
        await asyncio.sleep(0.2)
        return len(list(folder.iterdir()))


async def test_one_task_at_a_time_runs_whatever_the_workers(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = f"mkdir {lock} || exit 9; sleep 0.005; rmdir {lock}"
    async with running_agent("--workers=4", "--max-running=1") as agent, AsyncExitStack() as stack:
        clients = await connected(agent, stack, 16)
        for client in clients:
            for _ in range(10):
                await client.request(command=["sh", "-c", script])
        results = [await client.result() for client in clients for _ in range(10)]
    assert [result["exit_code"] for result in results] == [0] * 160


async def test_connections_are_limited_to_the_unit() -> None:
    async with running_agent("--workers=2", "--max-connections=10") as agent, AsyncExitStack() as stack:
        clients = await connected(agent, stack, 30)
        answers = await asyncio.gather(*(client.ask(command=["true"]) for client in clients))
        assert Counter(answer["error"][:8] for answer in answers) == {"": 10, "refused:": 20}
        for client, answer in zip(clients, answers, strict=True):
            if not answer["error"]:
                client.writer.close()
        # Each place is free again.
        async with AsyncExitStack() as again:

            async def served() -> bool:
                clients = await connected(agent, again, 10)
                answers = await asyncio.gather(*(client.ask(command=["true"]) for client in clients))
                await again.aclose()
                return all(not answer["error"] for answer in answers)

            async with asyncio.timeout(BOUND_SECONDS):
                while not await served():  # noqa: ASYNC110 -- until the last connection is closed on the agent's side
                    await asyncio.sleep(0.05)


async def test_limits_are_exact_after_many_deaths_of_workers(tmp_path: Path) -> None:
    options = ("--workers=3", "--max-running=7", "--max-connections=40")
    async with running_agent(*options) as agent:

        async def load() -> None:
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError):
                    async with await agent.connect() as client:
                        for _ in range(200):
                            await client.ask(command=["/bin/true"])

        loads = [asyncio.create_task(load()) for _ in range(12)]
        for number in range(15):
            await asyncio.sleep(0.15)
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(agent.workers[number % 2], signal.SIGKILL)
        for each in loads:
            each.cancel()
        await asyncio.wait(loads)
        await eventually(lambda: len(agent.workers) == 3)
        await asyncio.sleep(0.5)
        assert await running_at_once(agent, tmp_path, 20, 7) == 7
        async with AsyncExitStack() as stack:

            async def errors() -> list[str]:
                clients = await connected(agent, stack, 50)
                answers = await asyncio.gather(*(client.ask(command=["true"]) for client in clients))
                return [answer["error"][:8] for answer in answers]

            await asyncio.sleep(0.5)
            assert Counter(await errors()) == {"": 40, "refused:": 10}


async def test_slot_of_a_dead_worker_is_free_only_when_its_task_is_dead(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = f"exec 9>{lock}; flock -n 9 || exit 9; sleep 0.1; sleep 0.1"
    async with running_agent("--workers=2", "--max-running=1") as agent, AsyncExitStack() as stack:
        first, second = await on_different_workers(agent, stack)
        killed = await worker_of(first)
        await first.request(command=["sh", "-c", script])
        await eventually(lock.exists)
        for _ in range(3):
            await second.request(command=["sh", "-c", script])
        os.kill(killed, signal.SIGKILL)
        assert [(await second.result())["exit_code"] for _ in range(3)] == [0, 0, 0]


async def test_queued_request_gets_its_result_at_a_stop_although_another_worker_has_all_slots() -> None:
    options = ("--workers=2", "--max-running=1", "--drain-seconds=7")
    async with running_agent(*options) as agent, AsyncExitStack() as stack:
        running, queued = await on_different_workers(agent, stack)
        await running.request(command=["sleep", "6"])
        await asyncio.sleep(0.3)
        await queued.request(command=["true"])
        await asyncio.sleep(0.3)
        agent.process.send_signal(signal.SIGTERM)
        assert "nothing was run" in (await queued.result())["error"]
        assert (await running.result())["exit_code"] == 0


async def test_single_request_waits_for_about_one_task_of_a_flood_on_another_worker() -> None:
    async with running_agent("--workers=2", "--max-running=2") as agent, AsyncExitStack() as stack:
        flooding, single = await on_different_workers(agent, stack)
        for _ in range(300):
            await flooding.request(command=["sleep", "0.05"])
        await asyncio.sleep(0.2)
        waits: list[float] = []
        for _ in range(10):
            began = time.monotonic()
            await single.ask(command=["true"])
            waits.append(time.monotonic() - began)
    # One task takes 0.05 s; without turns, 300 of them would take 7.5 s.
    assert sorted(waits)[5] < 0.3
    assert max(waits) < 1.5


async def test_worker_that_is_stopped_holds_up_nobody_and_gets_no_connections() -> None:
    async with running_agent("--workers=2", "--max-running=4") as agent, AsyncExitStack() as stack:
        waiting, other = await on_different_workers(agent, stack)
        stopped = await worker_of(waiting)
        # The other worker has two slots, this one has two and waits for more: it is stopped in the middle of that.
        for _ in range(2):
            await other.request(command=["sleep", "1"])
        await asyncio.sleep(0.2)
        for _ in range(20):
            await waiting.request(command=["sleep", "0.2"])
        await asyncio.sleep(0.1)
        os.kill(stopped, signal.SIGSTOP)
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                # The slots of its own tasks stay taken; those that the other tasks give back do not wait for it.
                for _ in range(2):
                    assert (await other.result())["exit_code"] == 0
                began = time.monotonic()
                for _ in range(20):
                    async with await agent.connect() as client:
                        assert await worker_of(client) != stopped
                assert (await other.ask(command=["true"]))["exit_code"] == 0
                assert time.monotonic() - began < BOUND_SECONDS / 6
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert (await waiting.result())["exit_code"] == 0


@pytest.mark.parametrize("count", [64, 400])
async def test_connections_spread_evenly(count: int) -> None:
    async with running_agent("--workers=2", "--max-connections=2000") as agent, AsyncExitStack() as stack:
        for first in (await until_all_accept(agent, 2)).values():
            first.writer.close()
        await asyncio.sleep(0.2)
        clients = await connected(agent, stack, count)
        workers = Counter([await worker_of(client) for client in clients])
        assert len(workers) == 2
        assert max(workers.values()) <= (34 if count == 64 else 0.6 * count)
        # One that replaces another gets its part of the connections that come later.
        await eventually(lambda: len(agent.workers) == 2)
        os.kill(agent.workers[0], signal.SIGKILL)
        await eventually(lambda: len(set(agent.workers) - set(workers)) == 1 and "a worker died" in agent.log_text())
        await asyncio.sleep(0.5)
        (new,) = set(agent.workers) - set(workers)
        later = Counter([await worker_of(client) for client in await connected(agent, stack, count // 2)])
        assert later[new] >= 0.4 * (count // 2)
