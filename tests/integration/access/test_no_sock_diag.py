"""A kernel without tcp_diag: it replies ENOENT to every query, as for a socket that does not exist."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from agent import running_agent

ASK_FOR_NO_PROTOCOL = """
import execwire.adapters.linux.sock_diag
execwire.adapters.linux.sock_diag.PROTOCOL = 254
"""
"""An unassigned protocol number: the kernel replies as it does for TCP without tcp_diag."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(ASK_FOR_NO_PROTOCOL)
    return {"PYTHONPATH": str(tmp_path)}


async def test_half_closed_client_gets_its_result_where_all_users_are_allowed(environment: dict[str, str]) -> None:
    async with running_agent("--allow-user", "*", environment=environment) as agent, await agent.connect() as client:
        # Longer than two checks of the peer take.
        await client.request(command=["sh", "-c", "sleep 0.7; echo served"])
        client.writer.write_eof()
        assert json.loads(await client.at_end())["output"] == "served\n"


async def test_agent_that_has_to_identify_users_does_not_start(environment: dict[str, str]) -> None:
    command = ("env", *(f"{name}={value}" for name, value in environment.items()), sys.executable, "-m", "execwire")
    run = await asyncio.to_thread(
        subprocess.run, (*command, "serve", "--port", "0"), check=False, capture_output=True, text=True, timeout=30
    )
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert "No such file or directory" in run.stderr
