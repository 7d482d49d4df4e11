"""A program started by the starter is no different from one started directly; a dead or stopped starter is replaced."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from other_user import AS_OTHER_USER, only_root, skip_unless_user_can_run_agent
from proc import children, descriptors, eventually, is_starter, settled_descriptors, zombies
from programs import made

from execwire.adapters.subprocess.adopted_reaper import REAP_SECONDS

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--max-line", "8MiB") as agent:
        yield agent


def starter(agent: Agent) -> int:
    lists = (task / "children" for task in Path(f"/proc/{agent.worker}/task").iterdir())
    (pid,) = (int(child) for children in lists for child in children.read_text().split() if is_starter(int(child)))
    return pid


async def both_ways(agent: Agent, folder: Path, script: str, *arguments: str) -> list[str]:
    """Run a new script twice, first by the starter, then directly; return both outputs."""
    path = made(folder / "script", f"#!/bin/bash\n{script}\n")
    results = [await agent.run(path, *arguments) for _ in range(2)]
    assert {(result["exit_code"], result["error"]) for result in results} == {(0, "")}
    return [result["output"] for result in results]


@pytest.mark.parametrize(
    "script",
    [
        "ls -l /proc/self/fd | grep -c pipe; for n in 0 2; do readlink /proc/self/fd/$n; done; ls /proc/self/fd",
        "grep -E '^(Sig(Ign|Blk|Cgt)|Threads|NoNewPrivs|Seccomp|Cap|Uid|Gid|Groups)' /proc/self/status",
        "ulimit -a -S | grep -v locks; ulimit -a -H; umask; pwd; nice",
        "tr '\\0' '\\n' </proc/$$/environ; tr '\\0' '\\n' </proc/$$/cmdline",
        "read -r pid _ _ _ group session tty _ </proc/$$/stat; echo $((pid - group)) $((pid - session)) $tty",
        "cat; echo end of stdin",
        "cat /proc/$$/comm /proc/$$/oom_score_adj /proc/$$/cgroup",
    ],
    ids=["descriptors", "status", "limits", "environment", "session", "stdin", "rest"],
)
async def test_task_environment_is_identical_with_and_without_starter(
    agent: Agent, tmp_path: Path, script: str
) -> None:
    first, second = await both_ways(agent, tmp_path, script, "argument", "ü€ 2")
    assert first == second
    assert first


async def test_started_process_is_child_of_agent_and_leader_of_task(agent: Agent, tmp_path: Path) -> None:
    first, second = await both_ways(agent, tmp_path, "echo $PPID")
    assert first == second == f"{agent.worker}\n"


async def test_megabyte_of_arguments_arrives(agent: Agent, tmp_path: Path) -> None:
    words = ["x" * 100_000] * 10 + ["ü" * 10_000]
    assert await both_ways(agent, tmp_path, 'printf %s "$@" | wc -c', *words) == ["1020000\n"] * 2


async def test_program_name_of_one_megabyte_is_reported_with_errno(agent: Agent) -> None:
    name = "/" + "x" * MEGABYTE
    assert (await agent.run(name))["error"] == f"cannot start {name}: File name too long"
    assert "No such file or directory in PATH" in (await agent.run("x" * MEGABYTE))["error"]


async def test_symlink_loop_is_reported_with_errno(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    reason = (await agent.run(str(tmp_path / "loop")))["error"]
    assert reason == f"cannot start {tmp_path / 'loop'}: Too many levels of symbolic links"


async def test_replaced_program_or_earlier_one_in_path_variable_runs(tmp_path: Path) -> None:
    early, late = tmp_path / "early", tmp_path / "late"
    made(late / "tool", "#!/bin/sh\necho late\n")
    early.mkdir()
    absent = ":".join(f"{tmp_path}/{number}" for number in range(500))
    async with running_agent(environment={"PATH": f"{early}:{late}:/usr/bin:/bin:{absent}"}) as agent:
        for _ in range(3):
            assert (await agent.run("tool"))["output"] == "late\n"
        made(tmp_path / "new", "#!/bin/bash\necho replaced\n")
        (tmp_path / "new").rename(late / "tool")
        assert (await agent.run("tool"))["output"] == "replaced\n"
        made(early / "tool", "#!/bin/sh\necho early\n")
        for _ in range(3):
            assert (await agent.run("tool"))["output"] == "early\n"
        (early / "tool").unlink()
        assert (await agent.run("tool"))["output"] == "replaced\n"


@only_root
async def test_inaccessible_directory_is_reported_and_unreadable_program_runs() -> None:
    skip_unless_user_can_run_agent()
    # Not below pytest's own directories, which the other user cannot search.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        program = made(folder / "program", Path("/bin/echo").read_bytes(), 0o711)
        made(folder / "closed" / "tool", "#!/bin/sh\n")
        (folder / "closed").chmod(0o700)
        path = f"{folder / 'closed'}:/usr/bin:/bin"
        async with running_agent("--allow-user", "root", environment={"PATH": path}, launcher=AS_OTHER_USER) as agent:
            for _ in range(2):
                assert (await agent.run("true"))["exit_code"] == 0
                assert (await agent.run(program, "hi"))["output"] == "hi\n"
            error = (await agent.run("tool"))["error"]
        assert error == f"cannot start {folder / 'closed' / 'tool'}: Permission denied"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_killed_or_stopped_starter_is_replaced(tmp_path: Path, number: int) -> None:
    async with running_agent() as agent:
        before = starter(agent)
        os.kill(before, number)
        began = time.monotonic()
        result = await agent.run(made(tmp_path / "script", "#!/bin/sh\necho hi\n"))
        assert (result["output"], result["error"]) == ("hi\n", "")
        assert time.monotonic() - began < 15
        assert starter(agent) != before
        await eventually(lambda: zombies(agent.worker) == [])


async def test_stopped_starter_with_many_waiting_tasks_is_replaced_once(tmp_path: Path) -> None:
    programs = [made(tmp_path / str(number), "#!/bin/sh\necho hi\n") for number in range(12)]
    async with running_agent() as agent:
        os.kill(starter(agent), signal.SIGSTOP)
        results = await asyncio.gather(*(agent.run(program) for program in programs))
        assert [(result["output"], result["error"]) for result in results] == [("hi\n", "")] * len(programs)


async def test_stopped_starter_does_not_delay_timeouts(tmp_path: Path) -> None:
    async with running_agent() as agent:
        os.kill(starter(agent), signal.SIGSTOP)
        result = await agent.run(made(tmp_path / "script", "#!/bin/sh\necho hi\n"), timeout=300)
        assert result["error"] == "timeout exceeded"
        assert 300 <= result["duration_ms"] < 2000


async def test_process_that_starts_after_its_deadline_is_reaped_on_idle_agent(tmp_path: Path) -> None:
    async with running_agent() as agent:
        # Until then the agent polls for zombies anyway, after its own start.
        await asyncio.sleep(2 * REAP_SECONDS)
        before = starter(agent)
        os.kill(before, signal.SIGSTOP)
        result = await agent.run(made(tmp_path / "script", "#!/bin/sh\necho hi\n"), timeout=100)
        assert result["error"] == "timeout exceeded"
        os.kill(before, signal.SIGCONT)
        await eventually(lambda: zombies(agent.worker) != [])
        await eventually(lambda: zombies(agent.worker) == [])


async def test_starter_exits_when_worker_is_killed(tmp_path: Path) -> None:
    async with running_agent() as agent:
        before = starter(agent)
        os.kill(agent.worker, signal.SIGKILL)
        await eventually(lambda: not Path(f"/proc/{before}/exe").exists())
        await eventually(lambda: len(agent.workers) == 1)
        assert (await agent.run(made(tmp_path / "script", "#!/bin/sh\necho hi\n")))["output"] == "hi\n"


async def test_many_different_programs_at_once_start_and_leave_nothing(agent: Agent, tmp_path: Path) -> None:
    before = await settled_descriptors(agent.worker)
    programs = [made(tmp_path / str(number), f"#!/bin/sh\necho {number}\n") for number in range(100)]
    async with await agent.connect() as client:
        for program in programs:
            await client.request(command=[program])
        results = [await client.result() for _ in programs]
    assert [result["output"] for result in results] == [f"{number}\n" for number in range(100)]
    await eventually(lambda: children(agent.worker) == [])
    await eventually(lambda: descriptors(agent.worker) == before)
