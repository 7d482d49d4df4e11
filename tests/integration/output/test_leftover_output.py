"""Processes that are kept on purpose can write to their stdout; the agent discards that output."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from proc import descriptors, eventually

WRITES = """
import fcntl, os, sys, time
fcntl.fcntl(1, fcntl.F_SETFL, {flags})
time.sleep({wait})
for _ in range({times}):
    os.write(1, b"x" * {size})
    time.sleep({pause})
open(sys.argv[1], "w").write("done")
"""
"""Writes after the result of its command has been sent, and creates a file when it has finished."""


def writer(*, flags: int = 0, times: int = 20, size: int = 100, pause: float = 0.1) -> str:
    return WRITES.format(flags=flags, wait=0.5, times=times, size=size, pause=pause)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    return tmp_path / "done"


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """A file to which endless daemons append their pids; they are killed after the test."""
    path = tmp_path / "pids"
    path.touch()
    yield path
    for pid in path.read_text().split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


async def leave(agent: Agent, program: str, done: Path, start: str = 'setsid "$@" &', first: str = ":") -> None:
    """Run a command that executes `first` and leaves the program running."""
    result = await agent.run("bash", "-c", f"{first}; {start}", "-", sys.executable, "-c", program, str(done))
    assert (result["exit_code"], result["error"]) == (0, "")


def pipes(agent: Agent) -> int:
    return sum(each.startswith("pipe:") for each in descriptors(agent.worker))


async def test_kept_daemons_can_write_until_they_exit(tmp_path: Path) -> None:
    programs = [
        writer(),
        # More than a pipe can hold, and packets.
        writer(times=6, size=100_000, pause=0),
        writer(flags=os.O_DIRECT, times=50, size=5000, pause=0.01),
    ]
    # Commands whose output is in memory, and in a spool file.
    firsts = [":", "head -c 1000000 /dev/zero"]
    cases = [(program, first) for program in programs for first in firsts]
    words = [tmp_path / str(number) for number in range(len(cases))]
    async with running_agent("--linger-ms", "50") as agent:
        before = pipes(agent)
        await asyncio.gather(
            *(leave(agent, program, done, first=first) for (program, first), done in zip(cases, words, strict=True))
        )
        await eventually(lambda: all(done.exists() for done in words), 20)
        # No process can write to the pipes any more.
        await eventually(lambda: pipes(agent) == before)


async def test_kept_group_members_can_write(done: Path) -> None:
    async with running_agent("--linger-ms", "50", "--leftovers", "keep") as agent:
        await leave(agent, writer(times=5), done, start='"$@" &')
        await eventually(done.exists)


async def test_command_without_leftovers_leaves_no_pipe(done: Path) -> None:
    async with running_agent("--linger-ms", "50") as agent:
        before = pipes(agent)
        # The background process is in the command's group, which is killed.
        await leave(agent, writer(), done, start='"$@" &')
        await agent.run("true")
        await eventually(lambda: pipes(agent) == before)
        assert not done.exists()


async def test_oldest_pipe_is_closed_with_warning_past_quarter_of_descriptors(pids: Path) -> None:
    daemon = 'setsid bash -c \'echo $$ >> "$0"; exec sleep 600\' "$0" &'
    async with running_agent(launcher=("prlimit", "--nofile=80:80")) as agent:
        before = pipes(agent)
        # One client, since few connections are allowed with so few descriptors.
        async with await agent.connect() as client:
            for _ in range(24):
                await client.request(command=["bash", "-c", daemon, str(pids)])
            for _ in range(24):
                assert (await client.result())["error"] == ""
        assert len(pids.read_text().split()) == 24
        assert pipes(agent) == before + 20
        assert "hold the pipes of their output" in agent.log_text()
        assert (await agent.run("echo", "well"))["output"] == "well\n"


async def test_pipes_close_at_shutdown(done: Path) -> None:
    async with running_agent("--linger-ms", "50") as agent:
        await leave(agent, f"open({str(done)!r} + '-pid', 'w').write(str(__import__('os').getpid()))\n{writer()}", done)
        assert await agent.stop() == 0
    pid = int(Path(f"{done}-pid").read_text())
    await eventually(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
    assert not done.exists()
