"""The supervisor of a running agent: dead workers are replaced, and their remaining processes are killed."""

import asyncio
import json
import os
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from proc import alive_with, children, eventually, is_alive, zombies
from trees import sleeper


async def run_and_reconnect(agent: Agent) -> None:
    """Run short tasks one after another; reconnect after a broken connection, fail if one is refused."""
    while True:
        try:
            async with await agent.connect() as client:
                while True:
                    await client.ask(command=["true"])
        except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
            continue


async def test_tasks_of_killed_worker_are_killed_and_no_connection_is_refused(tmp_path: Path) -> None:
    # Hazard 9.
    trees = [sleeper(tmp_path) for _ in range(5)]
    async with running_agent() as agent, await agent.connect() as client:
        for tree in trees:
            await client.request(command=list(tree.command))
        await eventually(lambda: all(tree.written for tree in trees))
        load = [asyncio.create_task(run_and_reconnect(agent)) for _ in range(4)]
        worker = agent.worker
        os.kill(worker, signal.SIGKILL)
        killed_at = time.monotonic()
        await eventually(lambda: not any(tree.alive for tree in trees))
        assert time.monotonic() - killed_at < 1.0 + 2.0
        assert (await agent.run("echo", "back"))["output"] == "back\n"
        await eventually(lambda: agent.workers != [] and agent.worker != worker)
        assert not any(task.done() for task in load)
        for task in load:
            task.cancel()
        await asyncio.wait(load)
        await eventually(lambda: children(agent.pid) == [agent.worker])
        assert "killed the remaining processes of a dead worker" in agent.log_text()
        [death] = [line for line in map(json.loads, agent.log_text().splitlines()) if line["event"] == "a worker died"]
        assert (death["how"], death["pid"]) == ("SIGKILL", worker)
        # The trees, and at most one task of each client of the load.
        assert len(trees) <= death["tasks"] <= len(trees) + len(load)
        assert 1 <= death["clients"] <= 1 + len(load)


async def test_worker_and_tasks_end_when_supervisor_is_killed(tmp_path: Path) -> None:
    # Hazard 9.
    tree = sleeper(tmp_path)
    async with running_agent() as agent, await agent.connect() as client:
        await client.request(command=list(tree.command))
        await eventually(lambda: bool(tree.written))
        worker = agent.worker
        await agent.stop(signal.SIGKILL)
        await eventually(lambda: not tree.alive and not is_alive(worker))
        assert "the supervisor has died" in agent.log_text()


async def test_all_workers_serve_and_dying_one_loses_only_its_own_tasks(tmp_path: Path) -> None:
    async with running_agent("--workers", "2") as agent, AsyncExitStack() as stack:
        await eventually(lambda: len(agent.workers) == 2)
        first, second = agent.workers
        trees = {first: sleeper(tmp_path, "first"), second: sleeper(tmp_path, "second")}
        clients: dict[int, Client] = {}
        # A worker may take a while until it accepts.
        async with asyncio.timeout(20):
            while clients.keys() != trees.keys():
                client = await stack.enter_async_context(await agent.connect())
                clients[int((await client.ask(command=["sh", "-c", "echo $PPID"]))["output"])] = client
        for worker, tree in trees.items():
            await clients[worker].request(command=list(tree.command))
        await eventually(lambda: all(tree.written for tree in trees.values()))
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: not trees[first].alive and len(agent.workers) == 2)
        assert len(trees[second].alive) == 3
        await eventually(lambda: zombies(agent.pid) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_to_process_group_counts_once(tmp_path: Path, number: signal.Signals) -> None:
    # As a terminal sends SIGINT for Ctrl-C, or a service manager SIGTERM: to supervisor and workers.
    async with running_agent("--workers", "2", launcher=("setsid",)) as agent, await agent.connect() as client:
        await client.request(command=["sh", "-c", 'touch "$0"; sleep 0.7; echo done', str(tmp_path / "begun")])
        # Until the command runs, its process may still be in the agent's own group.
        await eventually(lambda: any(tmp_path.iterdir()))
        os.killpg(agent.pid, number)
        assert (await client.result())["output"] == "done\n"
        assert await agent.process.wait() == 0
        assert '"now": true' not in agent.log_text()


async def test_child_that_supervisor_had_before_exec_is_not_killed() -> None:
    name = f"sidecar-{os.urandom(4).hex()}"
    script = '(exec -a "$0" sleep 600) & exec "$@"'
    async with running_agent(launcher=("bash", "-c", script, name)) as agent:
        worker = agent.worker
        os.kill(worker, signal.SIGKILL)
        await eventually(lambda: agent.workers not in ([], [worker]))
        assert (await agent.run("true"))["exit_code"] == 0
        (sidecar,) = alive_with(name)
    assert is_alive(sidecar)
    os.kill(sidecar, signal.SIGKILL)
