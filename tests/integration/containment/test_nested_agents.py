"""An agent that runs as a task of another agent: its own tasks are killed with it."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from agent import Client, running_agent
from proc import alive_with, children, eventually

from execwire.adapters.linux.timer_slack import timer_slack


@pytest.mark.skipif(
    timer_slack() is None, reason="an orphan of both is found by its second mark, which requires CAP_SYS_NICE"
)
async def test_orphans_of_nested_agent_are_killed_with_outer_task(tmp_path: Path) -> None:
    name, log = f"inner-{os.urandom(4).hex()}", tmp_path / "log"
    serve = f'"{sys.executable}" -m execwire serve --port 0 2> "{log}"'
    async with running_agent() as outer:
        async with await outer.connect() as client:
            await client.request(command=["bash", "-c", f"{serve}; sleep 600"])
            await eventually(lambda: log.exists() and "listening on" in log.read_text())
            port = re.search(r"listening on \S*:(\d+)", log.read_text())
            assert port is not None
            async with Client(*await asyncio.open_connection("127.0.0.1", int(port[1]))) as inner:
                await inner.ask(command=["bash", "-c", 'setsid -f bash -c "exec -a $0 sleep 600"', name])
            await eventually(lambda: len(alive_with(name)) == 1)
            (leader,) = children(outer.worker)
            (supervisor,) = children(leader)
            # Neither process of the inner agent can react to the death of the other.
            os.kill(supervisor, signal.SIGSTOP)
            for pid in (*children(supervisor), supervisor):
                os.kill(pid, signal.SIGKILL)
            (daemon,) = alive_with(name)
            await eventually(lambda: daemon in children(outer.worker))
        await eventually(lambda: alive_with(name) == [])
