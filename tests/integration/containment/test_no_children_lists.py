"""All processes of a task are killed on a kernel without lists of children (CONFIG_PROC_CHILDREN)."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent import running_agent
from other_user import only_root
from proc import children, eventually
from trees import escaping

_WITHOUT_LISTS = """
import sys
from execwire.adapters.linux import procfs
procfs.lists_children = lambda: False
procfs.children = None
from execwire.app.cli import main
main(sys.argv[4:])
"""


async def test_scan_of_all_processes_finds_whole_task(tmp_path: Path) -> None:
    trees = escaping(tmp_path)
    async with running_agent(launcher=(sys.executable, "-c", _WITHOUT_LISTS)) as agent:
        assert "lists no children (CONFIG_PROC_CHILDREN)" in agent.log_text()
        async with await agent.connect() as client:
            for tree in trees:
                await client.request(command=list(tree.command), timeout=1500)
            for _ in trees:
                assert (await client.result())["error"] == "timeout exceeded"
            assert [tree.name for tree in trees if tree.alive] == []
        assert all(tree.written for tree in trees)
        assert all(await asyncio.gather(*(tree.is_silent() for tree in trees)))
        await eventually(lambda: children(agent.worker) == [])
        worker = agent.worker
        os.kill(worker, 9)
        await eventually(lambda: agent.workers not in ([], [worker]))


@only_root
def test_agent_does_not_start_if_proc_shows_other_pid_namespace() -> None:
    inside = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run((*inside, "true"), check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot create a PID namespace")
    agent = (sys.executable, "-m", "execwire", "serve", "--port", "0")
    ended = subprocess.run((*inside, *agent), check=False, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "shows another PID namespace" in ended.stderr
    assert "Traceback" not in ended.stderr
