"""A system resource is exhausted: the task fails with the reason, the agent continues to serve, nothing leaks."""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from agent import Agent, running_agent
from other_user import skip_unless_user_can_run_agent
from proc import children, descriptors, eventually, memory_kib
from trees import sleeper

# Hazard 15, throughout this file.

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user or mount")
OWN_UID = "54317"  # used by no other test, since RLIMIT_NPROC counts all processes of a user
AS_OWN_USER = ("setpriv", "--reuid", OWN_UID, "--regid", OWN_UID, "--clear-groups")


def reason(result: dict[str, Any]) -> str:
    return str(result["error"]).rpartition(": ")[2]


async def check_served_without_leaks(agent: Agent, before: list[str]) -> None:
    assert (await agent.run("echo", "well"))["output"] == "well\n"
    await eventually(lambda: len(descriptors(agent.worker)) <= len(before))
    await eventually(lambda: children(agent.worker) == [])


async def idle_descriptors(agent: Agent) -> list[str]:
    """Return the descriptors of the idle worker, after it has opened what it opens on first use."""
    assert (await agent.run("true"))["exit_code"] == 0
    found: list[str] = []
    while found != (found := descriptors(agent.worker)):  # noqa: ASYNC110 -- there is no event for it
        await asyncio.sleep(0.1)  # that of the last client may still be open
    return found


SAME_LIMITS = ("prlimit", "--nofile=4096:4096")
"""Equal soft and hard limits: the agent does not restore a limit for tasks, so that a limit set by a test stays."""


async def test_task_without_pipe_descriptor_fails_and_others_meet_timeouts(tmp_path: Path) -> None:
    trees = [sleeper(tmp_path) for _ in range(60)]
    async with running_agent(launcher=SAME_LIMITS) as agent:
        before = await idle_descriptors(agent)
        limit_descriptors(agent.worker, 64)

        async with await agent.connect() as client:
            for tree in trees:
                await client.request(command=list(tree.command), timeout=1500)
            results = [await client.result() for _ in trees]
        assert not any(tree.alive for tree in trees)
        assert {reason(result) for result in results} == {"timeout exceeded", "Too many open files"}
        await check_served_without_leaks(agent, before)


async def test_client_without_descriptor_waits_until_one_is_free() -> None:
    async with running_agent(launcher=SAME_LIMITS) as agent:
        before = await idle_descriptors(agent)
        limit_descriptors(agent.worker, 64)
        clients = [await agent.connect() for _ in range(70)]
        await eventually(lambda: "cannot accept clients for now" in agent.log_text())
        late = asyncio.create_task(clients[-1].ask(command=["echo", "late"]))
        for client in clients[:-1]:
            await client.__aexit__()
        assert (await late)["output"] == "late\n"
        await clients[-1].__aexit__()
        await check_served_without_leaks(agent, before)


@needs_root
async def test_task_fails_at_process_limit() -> None:
    skip_unless_user_can_run_agent(AS_OWN_USER)
    async with running_agent("--allow-user", "root", launcher=("prlimit", "--nproc=16:16", *AS_OWN_USER)) as agent:
        before = await idle_descriptors(agent)
        async with await agent.connect() as client:
            for _ in range(20):
                await client.request(command=["sleep", "1"])
            results = [await client.result() for _ in range(20)]
        assert {reason(result) for result in results} == {"", "Resource temporarily unavailable"}
        await check_served_without_leaks(agent, before)


@needs_root
async def test_task_that_writes_to_full_disk_fails(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
    launcher = ("unshare", "--mount", "sh", "-c", script, str(tmp_path))
    async with running_agent("--spool-dir", str(tmp_path), launcher=launcher) as agent:
        before = await idle_descriptors(agent)
        result = await agent.run("sh", "-c", "head -c 4000000 /dev/zero; exec sleep 60")
        assert (result["exit_code"], result["output"]) == (-1, "")
        assert (
            result["error"]
            == f"the command ran, but its output could not be kept in {tmp_path}: No space left on device"
        )
        # The disk space is free again.
        result = await agent.run("head", "-c", "700000", "/dev/zero")
        assert (result["exit_code"], len(result["output"])) == (0, 700_000)
        await check_served_without_leaks(agent, before)


async def test_task_fails_without_memory() -> None:
    async with running_agent() as agent:
        before = await idle_descriptors(agent)
        # The worker starts the program, since it is known; unknown ones are started by the starter, in its memory.
        assert (await agent.run("sh", "-c", ""))["exit_code"] == 0
        worker = agent.worker
        try:
            # No more than it has now, which is too little to start a process.
            limit_memory(worker, memory_kib(worker, "VmSize") * 1024)
            result = await agent.run("sh", "-c", "head -c 3000000 /dev/zero; exec sleep 60")
        finally:
            limit_memory(worker, resource.RLIM_INFINITY)
        assert reason(result) == "Cannot allocate memory"
        assert agent.worker == worker
        await check_served_without_leaks(agent, before)


async def test_tasks_wait_for_descriptors_instead_of_failing() -> None:
    async with running_agent(launcher=("prlimit", "--nofile=128:128")) as agent, await agent.connect() as client:
        assert '"max_running": 12' in agent.log_text()
        # Each uses all descriptors that a task can need: a pipe, a pidfd and a spool file.
        command = ["sh", "-c", "head -c 500000 /dev/zero; sleep 0.05"]
        for _ in range(60):
            await client.request(command=command)
        results = [await client.result() for _ in range(60)]
        assert {(result["error"], len(result["output"])) for result in results} == {("", 500_000)}


def limit_descriptors(pid: int, count: int) -> None:
    """Lower the descriptor limit of a running process to `count`."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, hard))


def limit_memory(pid: int, size: int) -> None:
    """Limit the address space of a running process to `size` bytes."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (size, hard))
