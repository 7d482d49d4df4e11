"""As process 1 of a container the agent adopts processes that it has not started: `docker exec`, health checks."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator

import pytest
from agent import Agent, running_agent
from other_user import only_root
from proc import alive_with, children, eventually, is_alive, zombies

pytestmark = only_root

_CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    process = await asyncio.create_subprocess_exec(*_CONTAINER, "true", stderr=subprocess.PIPE)
    _, error = await process.communicate()
    if process.returncode != 0:
        pytest.skip(f"cannot create a PID namespace: {error!r}")
    async with running_agent(launcher=_CONTAINER) as agent:
        yield agent
        # unshare(1) does not forward signals.
        os.kill(first(agent), signal.SIGTERM)
        await agent.process.wait()


def first(agent: Agent) -> int:
    """Return the pid, in the outer namespace, of process 1: unshare(1) is the agent's parent."""
    (pid,) = children(agent.pid)
    return pid


async def enter(agent: Agent, script: str, name: str) -> None:
    """Run a script in the namespaces of the agent, as a child of a process that exits at once."""
    inside = ("nsenter", "--target", str(first(agent)), "--pid", "--mount", "sh", "-c", script, name)
    process = await asyncio.create_subprocess_exec(*inside)
    assert await process.wait() == 0


async def test_adopted_process_is_reaped_when_it_exits(agent: Agent) -> None:
    name = f"given-{os.urandom(4).hex()}"
    await enter(agent, 'setsid -f bash -c "exec -a $0 sleep 600"', name)
    await eventually(lambda: len(alive_with(name)) == 1)
    (given,) = alive_with(name)
    os.kill(given, signal.SIGKILL)
    await eventually(lambda: zombies(first(agent)) == [], 2.0)


async def test_adopted_process_survives_worker_death(agent: Agent) -> None:
    name, task = (f"{kind}-{os.urandom(4).hex()}" for kind in ("given", "task"))
    await enter(agent, 'setsid -f bash -c "exec -a $0 sleep 600"', name)
    async with await agent.connect() as client:
        await client.request(
            command=["bash", "-c", 'setsid -f bash -c "exec -a $0 sleep 600"; exec -a $0 sleep 600', task]
        )
        await eventually(lambda: len(alive_with(name)) == 1 and len(alive_with(task)) == 2)
        (given,) = alive_with(name)
        workers = [pid for pid in children(first(agent)) if pid != given]
        os.kill(workers[0], signal.SIGKILL)
        await eventually(
            lambda: alive_with(task) == [] and "killed the remaining processes of a dead worker" in agent.log_text()
        )
    assert (await agent.run("true"))["exit_code"] == 0
    assert is_alive(given)
    os.kill(given, signal.SIGKILL)
    await eventually(lambda: zombies(first(agent)) == [], 2.0)
