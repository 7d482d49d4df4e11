"""Tasks run as the agent's user, but cannot read the agent's memory, environment or descriptors."""

import os
from pathlib import Path

import pytest
from agent import running_agent
from other_user import becoming, skip_unless_user_can_run_agent
from proc import children, eventually
from trees import sleeper

AS_OWN_USER = becoming(54315, "--inh-caps=-all", "--bounding-set=-all")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

LOOK = """
for what in environ mem maps; do
    ( : </proc/$1/$what ) 2>/dev/null && cat </proc/$1/$what 2>/dev/null | head -c 1 | wc -c
done
ls /proc/$1/fd 2>/dev/null
head -c 1 /proc/self/environ | wc -c
ls /proc/self/fd >/dev/null && echo itself
"""
"""What a process of the same user can read of the process $1, and of itself. All of it requires permission to trace,
as pidfd_getfd(2) and a debugger do."""


@needs_root
async def test_task_cannot_read_agent_memory_or_descriptors_and_is_itself_dumpable() -> None:
    skip_unless_user_can_run_agent(AS_OWN_USER)
    async with running_agent("--allow-user", "root", launcher=AS_OWN_USER) as agent:
        for pid in (agent.pid, agent.worker):
            result = await agent.run("bash", "-c", LOOK, "bash", str(pid))
            assert (result["exit_code"], result["output"]) == (0, "1\nitself\n")


@needs_root
async def test_unprivileged_agent_can_read_proc_while_protected(tmp_path: Path) -> None:
    skip_unless_user_can_run_agent(AS_OWN_USER)
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    trees = [sleeper(tmp_path, name) for name in ("first", "second")]
    async with running_agent("--allow-user", "root", launcher=AS_OWN_USER) as agent:
        worker = agent.worker
        async with await agent.connect() as client:
            for tree in trees:
                await client.request(command=list(tree.command), timeout=1000)
            for _ in trees:
                assert (await client.result())["error"] == "timeout exceeded"
        assert [tree.name for tree in trees if tree.alive] == []
        assert len((await agent.run("head", "-c", "700000", "/dev/zero"))["output"]) == 700_000
        await eventually(lambda: children(worker) == [])
        os.kill(worker, 9)
        await eventually(lambda: agent.workers not in ([], [worker]))
        assert (await agent.run("echo", "well"))["output"] == "well\n"
        assert await agent.stop() == 0
