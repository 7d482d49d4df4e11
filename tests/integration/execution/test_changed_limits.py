"""The limits of the running agent are changed, as by prlimit(1): tasks get what is still allowed."""

import resource
from pathlib import Path

from agent import Agent, running_agent
from proc import descriptors, eventually, settled_descriptors
from trees import sleeper

SHOW = "ulimit -S -n; ulimit -H -n"
RLIMIT_LOCKS = 10


async def output_of(agent: Agent, *command: str) -> list[str]:
    result = await agent.run(*command)
    assert (result["exit_code"], result["error"]) == (0, "")
    return str(result["output"]).split()


async def test_tasks_get_lowered_descriptor_limit_and_none_fails() -> None:
    async with running_agent(launcher=("prlimit", "--nofile=500:6000")) as agent:
        for _ in range(2):
            assert await output_of(agent, "sh", "-c", SHOW) == ["500", "6000"]
        before = await settled_descriptors(agent.worker)
        resource.prlimit(agent.worker, resource.RLIMIT_NOFILE, (400, 4096))
        # Known and unknown programs, which are started by the worker and by the starter.
        for shell in ("sh", "sh", "bash", "sh"):
            assert await output_of(agent, shell, "-c", SHOW) == ["500", "4096"]
        assert resource.prlimit(agent.worker, resource.RLIMIT_NOFILE) == (400, 4096)
        resource.prlimit(agent.worker, resource.RLIMIT_NOFILE, (200, 300))
        for shell in ("sh", "sh", "/bin/sh", "sh"):
            assert await output_of(agent, shell, "-c", SHOW) == ["300", "300"]
        await eventually(lambda: len(descriptors(agent.worker)) <= len(before))


async def test_other_limits_are_those_of_agent_at_task_start() -> None:
    async with running_agent() as agent:
        resource.prlimit(agent.worker, resource.RLIMIT_CPU, (5000, 6000))
        for shell in ("sh", "sh", "bash"):
            assert await output_of(agent, shell, "-c", "ulimit -S -t; ulimit -H -t") == ["5000", "6000"]


async def test_tasks_are_marked_after_agent_loses_permission_to_mark_itself(tmp_path: Path) -> None:
    async with running_agent() as agent:
        assert await output_of(agent, "sh", "-c", "echo hi") == ["hi"]
        before = await settled_descriptors(agent.worker)
        resource.prlimit(agent.worker, RLIMIT_LOCKS, (0, 0))
        tree = sleeper(tmp_path)
        for _ in range(2):
            assert await output_of(agent, "sh", "-c", "echo hi") == ["hi"]
            assert (await agent.run(*tree.command, timeout=300))["error"] == "timeout exceeded"
            assert not tree.alive
        await eventually(lambda: len(descriptors(agent.worker)) <= len(before))
