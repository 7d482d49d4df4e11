"""Hazard 13: a task has the descriptors 0, 1 and 2 and nothing else, whatever is open in the agent."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from agent import Agent, running_agent
from proc import alive_with, descriptors, eventually

LIST = ("sh", "-c", "ls /proc/$$/fd; :")
"""ls(1) lists the descriptors of its parent, the shell; `:` keeps the shell from executing ls(1) in its place."""
STANDARD = "0\n1\n2\n"


async def test_task_inherits_no_descriptors_of_other_tasks_or_connections() -> None:
    async with running_agent() as agent, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(await agent.connect()) for _ in range(20)]
        for client in idle[:10]:
            await client.request(command=["sleep", "60"])
        spooling = await stack.enter_async_context(await agent.connect())
        await spooling.request(command=["sh", "-c", "head -c 1000000 /dev/zero; sleep 60"])
        unread = stack.enter_context(socket.create_connection(("127.0.0.1", agent.port)))
        unread.sendall(b'{"command":["head","-c","3000000","/dev/zero"]}\n')
        await eventually(lambda: sum("(deleted)" in what for what in descriptors(agent.worker)) == 2)

        client = idle[-1]
        for _ in range(100):
            await client.request(command=list(LIST))
        assert {(await client.result())["output"] for _ in range(100)} == {STANDARD}


async def test_descriptors_inherited_by_agent_are_not_passed_to_tasks() -> None:
    launcher = ("bash", "-c", 'exec 3<&0 7</etc/passwd 9>/dev/null 77</ 200<>/dev/null; exec "$@"', "bash")
    async with running_agent(launcher=launcher) as agent:
        assert "/etc/passwd" in descriptors(agent.pid)
        assert (await agent.run(*LIST))["output"] == STANDARD


async def test_agent_without_standard_descriptors_provides_them_to_tasks() -> None:
    async with running_agent(launcher=("sh", "-c", 'exec "$@" <&- >&-', "sh")) as agent:
        assert (await agent.run(*LIST))["output"] == STANDARD
        assert (await agent.run("sh", "-c", "cat; echo out; echo err >&2"))["output"] == "out\n"


async def test_agent_without_stderr_serves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "execwire", "serve", "--port", str(port),
    )  # fmt: skip
    agent = Agent(process, Path(os.devnull))
    agent.port = port
    try:
        await eventually(lambda: process.returncode is not None or accepts(port))
        assert (await agent.run(*LIST))["output"] == STANDARD
        assert (await agent.run("sh", "-c", "cat; echo out; echo err >&2"))["output"] == "out\n"
    finally:
        assert await agent.stop() == 0


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def test_agent_restarts_on_its_port_while_daemon_of_task_lives() -> None:
    marker = f"execwire-test-{uuid4().hex}"
    try:
        async with running_agent() as agent:
            port = agent.port
            await agent.run("setsid", "-f", "bash", "-c", 'exec -a "$0" sleep 60', marker)
            assert await agent.stop() == 0
        (daemon,) = alive_with(marker)
        assert not [what for what in descriptors(daemon) if what.startswith("socket:")]
        async with running_agent("--port", str(port)) as agent:
            assert agent.port == port
            assert (await agent.run("echo", "again"))["output"] == "again\n"
        assert alive_with(marker) == [daemon]
    finally:
        for pid in alive_with(marker):
            os.kill(pid, signal.SIGKILL)
