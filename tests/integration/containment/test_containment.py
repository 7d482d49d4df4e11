"""At a timeout, a cancellation and a shutdown all processes of a task are killed, however they try to escape."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from agent import running_agent
from proc import children, eventually, zombies
from trees import Tree, daemon, escaping, hopping, sleeper

# Hazards 5 and 10, throughout this file.


async def all_have_written(trees: Iterable[Tree]) -> None:
    await eventually(lambda: all(tree.written for tree in trees), 20.0)


async def check_all_dead(trees: Iterable[Tree]) -> None:
    assert [tree.name for tree in trees if tree.alive] == []
    silent = await asyncio.gather(*(tree.is_silent() for tree in trees))
    assert all(silent)


async def test_no_descendant_writes_after_timeout_result(tmp_path: Path) -> None:
    trees = escaping(tmp_path)
    async with running_agent() as agent:

        async def time_out(tree: Tree) -> tuple[str, str, int, list[int]]:
            result = await agent.run(*tree.command, timeout=1500)
            return tree.name, result["error"], tree.written, tree.alive

        ends = await asyncio.gather(*map(time_out, trees))
        assert [(name, error, alive) for name, error, _, alive in ends] == [
            (tree.name, "timeout exceeded", []) for tree in trees
        ]
        assert all(written > 0 for _, _, written, _ in ends)
        await asyncio.sleep(0.3)
        assert [(tree.name, tree.written) for tree in trees] == [(name, written) for name, _, written, _ in ends]
        await eventually(lambda: children(agent.worker) == [])


async def test_disconnect_kills_all_tasks_of_client(tmp_path: Path) -> None:
    trees = escaping(tmp_path)
    async with running_agent() as agent:
        async with await agent.connect() as client:
            for tree in trees:
                await client.request(command=list(tree.command))
            await all_have_written(trees)
        await eventually(lambda: not any(tree.alive for tree in trees))
        await check_all_dead(trees)
        await eventually(lambda: children(agent.worker) == [])


async def test_shutdown_kills_running_tasks(tmp_path: Path) -> None:
    trees = escaping(tmp_path)
    async with running_agent("--drain-seconds", "0") as agent, await agent.connect() as client:
        for tree in trees:
            await client.request(command=list(tree.command))
        await all_have_written(trees)
        assert await agent.stop() == 0
        results = [await client.result() for _ in trees]
        assert all(result["error"].startswith("the agent is stopping; the task was killed") for result in results)
        await check_all_dead(trees)


# Hazard 6.
@pytest.mark.parametrize(("chains", "stay"), [(4, 0.0), (48, 0.02)], ids=["fast", "many"])
async def test_tree_that_forks_while_it_is_killed_is_killed_completely(
    tmp_path: Path, chains: int, stay: float
) -> None:
    async with running_agent() as agent:
        tree = hopping(tmp_path, chains=chains, stay=stay, seconds=20)
        started = time.monotonic()
        result = await agent.run(*tree.command, timeout=600)
        alive = tree.alive
        assert result["error"] == "timeout exceeded"
        assert time.monotonic() - started < 0.6 + 2.0 + 2.0
        assert tree.written > 0
        # Processes that still live are logged, and the sweep continues.
        assert not alive or "could not be killed" in agent.log_text()
        await eventually(lambda: not tree.alive)
        assert await tree.is_silent()
        await eventually(lambda: zombies(agent.worker) == [])


async def test_orphans_of_running_task_are_reaped(tmp_path: Path) -> None:
    tree = sleeper(tmp_path)
    script = f"for _ in 1 2 3; do (setsid sleep 0 &); done; {tree.command[2]}"
    async with running_agent() as agent, await agent.connect() as client:
        await client.request(command=["bash", "-c", script, *tree.command[3:]])
        await all_have_written([tree])
        await eventually(lambda: zombies(agent.worker) == [])
        assert tree.alive


async def test_daemon_survives_unless_leftovers_is_kill_all(tmp_path: Path) -> None:
    tree = daemon(tmp_path)
    async with running_agent() as agent:
        assert (await agent.run(*tree.command))["exit_code"] == 0
        await all_have_written([tree])
        assert await agent.stop() == 0
    (survivor,) = tree.alive
    try:
        assert not await tree.is_silent()
    finally:
        os.kill(survivor, signal.SIGKILL)


async def test_kill_all_kills_daemons_when_command_exits(tmp_path: Path) -> None:
    tree = daemon(tmp_path)
    async with running_agent("--leftovers", "kill-all") as agent:
        assert (await agent.run(*tree.command))["exit_code"] == 0
        await check_all_dead([tree])
