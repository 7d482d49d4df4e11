"""`task_oom_score_adj`: the kernel's OOM killer prefers tasks to the agent."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from proc import children

SCORES = "cat /proc/self/oom_score_adj; (cat /proc/self/oom_score_adj); setsid -w cat /proc/$$/oom_score_adj"
"""Of a child, of a grandchild, and of the shell itself."""
FORKS_AT_ONCE = """
import os
pid = os.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "sleep 0.2; cat /proc/self/oom_score_adj"])
os.waitpid(pid, 0)
"""


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--task-oom-score-adj", "700") as agent:
        yield agent


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


async def test_tasks_have_configured_oom_score_and_agent_keeps_its_own(agent: Agent) -> None:
    own = score(os.getpid())
    for _ in range(5):
        # The first start goes through the starter, the others are done by the worker itself.
        assert (await agent.run("sh", "-c", f"sleep 0.1; {SCORES}"))["output"].split() == ["700"] * 3
        result = await agent.run(sys.executable, "-S", "-E", "-c", FORKS_AT_ONCE)
        assert result["output"].split() == ["700"]
    assert score(agent.pid) == score(agent.worker) == own
    assert {score(pid) for pid in children(agent.worker)} <= {own}


async def test_tasks_inherit_oom_score_by_default() -> None:
    async with running_agent() as agent:
        assert set((await agent.run("sh", "-c", SCORES))["output"].split()) == {str(score(agent.worker))}


async def test_oom_score_not_above_that_of_agent_is_ignored_with_warning() -> None:
    raised = ("sh", "-c", 'echo 500 > /proc/self/oom_score_adj; exec "$@"', "-")
    async with running_agent("--task-oom-score-adj", "300", launcher=raised) as agent:
        assert set((await agent.run("sh", "-c", SCORES))["output"].split()) == {"500"}
        assert "task_oom_score_adj is not above" in agent.log_text()


async def test_oom_score_of_task_that_exits_at_once_is_no_error(agent: Agent) -> None:
    for _ in range(30):
        assert (await agent.run("true"))["exit_code"] == 0
