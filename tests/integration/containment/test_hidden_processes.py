"""All processes of a task are killed even where /proc hides some (hidepid, systemd's ProtectProc=invisible)."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from other_user import AS_OTHER_USER, only_root, skip_unless_user_can_run_agent
from proc import alive_with, children, eventually

pytestmark = only_root

_HIDDEN_PROC = (
    "unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh", *AS_OTHER_USER,
)  # fmt: skip
_DAEMON = 'setsid -f "$0" 600; '


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (5, 8):
        pytest.skip("before Linux 5.8 the option would apply to every /proc of this machine")
    skip_unless_user_can_run_agent(_HIDDEN_PROC)
    async with running_agent("--allow-user", "root", launcher=_HIDDEN_PROC) as agent:
        yield agent


@pytest.fixture
def untraceable(tmp_path: Path) -> str:
    """Return a copy of sleep(1) that all users may execute but not read, so that it cannot be traced."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    program = tmp_path / f"untraceable-{os.urandom(4).hex()}"
    shutil.copy("/bin/sleep", program)
    program.chmod(0o711)
    return str(program)


async def started(program: str) -> int:
    await eventually(lambda: any(Path(f"/proc/{pid}/stat").stat().st_uid == 0 for pid in alive_with(program)))
    (pid,) = alive_with(program)
    return pid


async def test_untraceable_daemon_leaves_no_zombie(agent: Agent, untraceable: str) -> None:
    assert (await agent.run("sh", "-c", _DAEMON, untraceable))["exit_code"] == 0
    os.kill(await started(untraceable), signal.SIGKILL)
    # Hazard 11.
    await eventually(lambda: children(agent.worker) == [])


async def test_untraceable_daemon_is_killed_at_timeout(agent: Agent, untraceable: str) -> None:
    result = await agent.run("sh", "-c", _DAEMON + "sleep 600", untraceable, timeout=1000)
    assert (result["error"], alive_with(untraceable)) == ("timeout exceeded", [])
    await eventually(lambda: children(agent.worker) == [])
    assert "could not be killed" not in agent.log_text()
