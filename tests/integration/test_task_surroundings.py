"""What a task finds around itself: the agent's environment and directory, and nothing else of the agent."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from standing import standing_agent

ROOT = Path(__file__).parents[2]
DEAF = (
    sys.executable,
    "-c",
    "import os, signal, sys\n"
    "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
    "    signal.signal(number, signal.SIG_IGN)\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)
"""Ignores and blocks all signals, as nohup(1) and careless parents do for some."""


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with standing_agent() as agent:
        yield agent


async def status_of_a_task(agent: Agent) -> dict[str, str]:
    """What proc(5) says in /proc/PID/status of a task; cat(1) changes nothing about its signals."""
    output = (await agent.run("cat", "/proc/self/status"))["output"]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in output.splitlines())}


async def test_the_environment_is_the_agents_byte_by_byte() -> None:
    # Not UTF-8, and as PEP 383 has it in Python.
    environment = {"OF_A_TASK": "ü\udcff=\n end", "EMPTY": ""}
    async with running_agent(environment=environment) as agent:
        async with await agent.connect() as client:
            printed = await client.ask(command=["sh", "-c", 'printf %s "$OF_A_TASK" | od -An -v -tx1'])
            whole = await client.ask(command=["env", "-0"])
    assert bytes.fromhex(printed["output"]) == "ü".encode() + b"\xff=\n end"
    seen = dict(entry.partition("=")[::2] for entry in whole["output"].split("\0") if entry)
    assert seen.keys() == os.environ.keys() | environment.keys()
    assert seen["EMPTY"] == ""
    assert seen["PATH"] == os.environ["PATH"]


async def test_the_directory_is_the_agents_and_relative_paths_start_there(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\npwd -P\n")
    script.chmod(0o700)
    launcher = ("sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path))
    async with running_agent(launcher=launcher, environment={"PYTHONPATH": str(ROOT)}) as agent:
        assert (await agent.run("./script"))["output"] == f"{tmp_path.resolve()}\n"


async def test_arguments_are_utf_8_whatever_the_locale() -> None:
    # Python would make UTF-8 of the C locale by itself (PEP 538, PEP 540); without that, it takes bytes for ASCII.
    environment = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    text = "ü€\U0001f600\u0085"
    async with running_agent(environment=environment) as agent:
        async with await agent.connect() as client:
            assert (await client.ask(command=["printf", "%s", text]))["output"] == text
            bytewise = await client.ask(command=["sh", "-c", 'printf %s "$0" | od -An -v -tx1', text])
            assert bytes.fromhex(bytewise["output"]) == text.encode()
            missing = await client.ask(command=["/nowhere/ü"])
            assert missing["error"] == "cannot start /nowhere/ü: No such file or directory"


async def test_no_signal_is_ignored_caught_or_blocked(agent: Agent) -> None:
    status = await status_of_a_task(agent)
    assert {status[name].strip("0") for name in ("SigIgn", "SigBlk", "SigCgt")} == {""}


# SIGCHLD among them: a parent that ignores it never sees how its children ended (wait(2)).
async def test_an_agent_that_was_started_with_all_signals_ignored_passes_that_on_to_nobody() -> None:
    async with running_agent(launcher=DEAF) as agent:
        status = await status_of_a_task(agent)
        assert {status[name].strip("0") for name in ("SigIgn", "SigBlk", "SigCgt")} == {""}
        ended = await agent.run("sh", "-c", "kill -PIPE $$")
        assert ended["error"] == "terminated by signal SIGPIPE"
        assert (await agent.run("sh", "-c", "sleep 0.1; exit 7"))["exit_code"] == 7
        assert (await agent.run("sleep", "60", timeout=100))["error"] == "timeout exceeded"
        assert await agent.stop(signal.SIGTERM) == 0


async def test_a_task_leads_a_session_and_a_group_of_its_own_without_a_terminal(agent: Agent) -> None:
    stat = (await agent.run("cat", "/proc/self/stat"))["output"]
    pid = stat.split()[0]
    group, session, terminal = stat.rpartition(")")[2].split()[2:5]
    assert (group, session, terminal) == (pid, pid, "0")


async def test_tasks_get_the_descriptor_limit_that_the_agent_was_given_before_it_raised_its_own() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(500, hard - 1)
    async with running_agent(launcher=("sh", "-c", f'ulimit -S -n {soft} && exec "$@"', "sh")) as agent:
        raised = next(
            line.split()[3:5]
            for line in Path(f"/proc/{agent.worker}/limits").read_text().splitlines()
            if line.startswith("Max open files")
        )
        assert raised == [str(hard), str(hard)]
        task = await agent.run("sh", "-c", "ulimit -S -n; ulimit -H -n")
        assert task["output"] == f"{soft}\n{hard}\n"


async def test_all_other_limits_are_those_of_the_agent(agent: Agent) -> None:
    def of_interest(limits: str) -> list[str]:
        # What tells a task (ARCHITECTURE, Containment), and what the test above is about.
        return [line for line in limits.splitlines() if not line.startswith(("Max file locks", "Max open files"))]

    task = (await agent.run("cat", "/proc/self/limits"))["output"]
    assert of_interest(task) == of_interest(Path("/proc/self/limits").read_text())


async def test_stderr_is_discarded(agent: Agent) -> None:
    result = await agent.run("sh", "-c", "echo one; echo two >&2; readlink /proc/self/fd/2; echo three")
    assert result["output"] == "one\n/dev/null\nthree\n"


# Hazard 14.
async def test_stdin_is_at_its_end_whatever_the_agents_is() -> None:
    async with running_agent(launcher=("sh", "-c", 'exec "$@" </dev/zero', "sh")) as agent:
        assert os.readlink(f"/proc/{agent.worker}/fd/0") == "/dev/zero"
        result = await agent.run("sh", "-c", "cat; readlink /proc/$$/fd/0", timeout=20_000)
        assert (result["exit_code"], result["output"]) == (0, "/dev/null\n")
