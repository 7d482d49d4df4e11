"""A process that the agent may not signal: the result is on time, the pid is logged, and the sweep continues."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from agent import Agent, running_agent
from other_user import skip_unless_user_can_run_agent
from proc import alive_with, children, eventually, zombies
from trees import sleeper

NOBODY = "54322"
SOURCE = """
#include <unistd.h>
int main(void) { return setgid(0) || setuid(0) || write(1, "root", 4) != 4 || sleep(60); }
"""


@pytest.fixture
def becomes_root(tmp_path: Path) -> Path:
    """Build a program that becomes root, as sudo(8) does, and sleeps, in a directory that all users can search."""
    compiler = shutil.which("cc")
    if os.geteuid() != 0 or compiler is None:
        pytest.skip("only root can create a set-user-ID program of root, and a C compiler is needed")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    tmp_path.chmod(0o777)
    program = tmp_path / f"becomes-root-{os.urandom(4).hex()}"
    subprocess.run([compiler, "-x", "c", "-o", program, "-"], input=SOURCE.encode(), check=True)
    program.chmod(0o4755)
    return program


def warning(agent: Agent) -> dict[str, Any]:
    (line,) = (line for line in agent.log_text().splitlines() if "could not be killed" in line)
    found: dict[str, Any] = json.loads(line)
    return found


async def test_task_that_may_not_be_signalled_gets_result_and_log_line(becomes_root: Path, tmp_path: Path) -> None:
    # Hazard 7.
    launcher = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
    skip_unless_user_can_run_agent(launcher)
    async with running_agent("--allow-user", "root", "--drain-seconds", "0", launcher=launcher) as agent:
        started = time.monotonic()
        result = await agent.run(str(becomes_root), timeout=300)
        assert (result["error"], result["output"]) == ("timeout exceeded", "root")
        assert 2.0 < time.monotonic() - started < 2.3 + 2.0
        (survivor,) = alive_with(str(becomes_root))
        try:
            assert warning(agent)["pids"] == [survivor]
            assert warning(agent)["reason"] == "may not be signalled: it runs as another user"
            # Other tasks are not delayed by it.
            tree = sleeper(tmp_path)
            started = time.monotonic()
            assert (await agent.run(*tree.command, timeout=300))["error"] == "timeout exceeded"
            assert time.monotonic() - started < 0.3 + 1.5
            assert tree.alive == []
            assert children(agent.worker) == [survivor]
        finally:
            os.kill(survivor, signal.SIGKILL)
        await eventually(lambda: zombies(agent.worker) == [] == children(agent.worker))
        assert await agent.stop() == 0
