"""Processes started by su(1), runuser(1) and sudo(8) are killed like others, though PAM resets the limit that marks
them."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from agent import running_agent
from other_user import only_root
from proc import alive_with, children, eventually

from execwire.adapters.linux.timer_slack import timer_slack

pytestmark = only_root
with_second_mark = pytest.mark.skipif(
    os.geteuid() == 0 and timer_slack() is None, reason="the second mark requires CAP_SYS_NICE"
)

_DAEMON = 'setsid -f "$0" 600; sleep 600'
_WITHOUT_SYS_NICE = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-all")


@pytest.fixture
def sleeper(tmp_path: Path) -> str:
    """Return a copy of sleep(1) with a unique name, by which its processes are found."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    program = tmp_path / f"sleeper-{os.urandom(4).hex()}"
    shutil.copy("/bin/sleep", program)
    return str(program)


def as_root(how: str, script: str) -> tuple[str, ...]:
    if shutil.which(how) is None:
        pytest.skip(f"there is no {how} here")
    if how == "sudo":
        return ("sudo", "-n", "sh", "-c", script)
    return (how, "root", "-s", "/bin/sh", "-c", script)


@with_second_mark
@pytest.mark.parametrize("how", ["su", "runuser", "sudo"])
async def test_daemon_in_user_session_is_killed_at_timeout(how: str, sleeper: str) -> None:
    command = as_root(how, _DAEMON.replace("$0", sleeper))
    async with running_agent() as agent:
        for _ in range(2):
            result = await agent.run(*command, timeout=500)
            assert (result["error"], alive_with(sleeper)) == ("timeout exceeded", [])
        await eventually(lambda: sleeper_children(agent.worker) == [])


def sleeper_children(pid: int) -> list[int]:
    return [child for child in children(pid) if alive_with("sleeper-").count(child)]


async def test_command_run_as_other_user_is_killed_at_timeout(sleeper: str) -> None:
    # In its own session, as a child of a process that dies at once.
    command = as_root("su", f'"{sleeper}" 600; :')
    async with running_agent(launcher=_WITHOUT_SYS_NICE) as agent:
        for _ in range(6):
            result = await agent.run(*command, timeout=150)
            assert (result["error"], alive_with(sleeper)) == ("timeout exceeded", [])


@with_second_mark
async def test_daemon_in_user_session_is_killed_when_worker_dies(sleeper: str) -> None:
    command = as_root("su", _DAEMON.replace("$0", sleeper))
    async with running_agent() as agent, await agent.connect() as client:
        await client.request(command=list(command))
        await eventually(lambda: alive_with(f"{sleeper}\x00{600}") != [])
        os.kill(agent.worker, signal.SIGKILL)
        await eventually(lambda: alive_with(sleeper) == [])


@with_second_mark
async def test_kill_all_kills_daemon_in_user_session_when_command_exits(sleeper: str) -> None:
    command = as_root("su", f'setsid -f "{sleeper}" 600')
    async with running_agent("--leftovers", "kill-all") as agent:
        assert (await agent.run(*command))["exit_code"] == 0
        assert alive_with(sleeper) == []


async def test_kill_all_kills_daemon_without_second_mark_at_shutdown(sleeper: str) -> None:
    command = as_root("su", f'setsid -f "{sleeper}" 600')
    async with running_agent("--leftovers", "kill-all", launcher=_WITHOUT_SYS_NICE) as agent:
        assert (await agent.run(*command))["exit_code"] == 0
        await eventually(lambda: alive_with(sleeper) != [])
        assert await agent.stop() == 0
        assert alive_with(sleeper) == []
