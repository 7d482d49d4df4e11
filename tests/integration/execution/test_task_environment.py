"""What a task inherits: the agent's environment and working directory, and nothing else."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from proc import descriptors
from programs import made

ROOT = Path(__file__).parents[3]
IGNORING_SIGNALS = (
    sys.executable,
    "-c",
    (
        "import os, signal, sys\n"
        "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    ),
)
"""Ignores and blocks all signals, as nohup(1) and other parents do for some."""
GLIBC_SIGNALS = 1 << 31 | 1 << 32
"""32 and 33 (nptl(7)): posix_spawn(3) of glibc leaves them ignored, and its API rejects them."""
AGENT_VARIABLES = {
    "NOTIFY_SOCKET": "/nowhere", "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x",
    "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1", "MAKEFLAGS": " -j2", "MFLAGS": "-j2",
    "MAKELEVEL": "1", "EXECWIRE_LOG_LEVEL": "info",
}  # fmt: skip


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


def limits(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/limits").read_text().splitlines()


async def unusual_signals(agent: Agent) -> int:
    """Return the signals that a task ignores, blocks or catches, as bits; cat(1) changes none of them itself."""
    status = (await agent.run("cat", "/proc/self/status"))["output"]
    found = 0
    for line in status.splitlines():
        name, _, mask = line.partition(":")
        if name in ("SigIgn", "SigBlk", "SigCgt"):
            found |= int(mask, 16)
    return found & ~GLIBC_SIGNALS


async def test_environment_is_that_of_agent_byte_for_byte() -> None:
    # Not UTF-8: Python represents the byte as a surrogate (PEP 383).
    environment = {"OF_A_TASK": "ü\udcff=\n end", "EMPTY": ""}
    async with running_agent(environment=environment) as agent, await agent.connect() as client:
        printed = await client.ask(command=["sh", "-c", 'printf %s "$OF_A_TASK" | od -An -v -tx1'])
        whole = await client.ask(command=["env", "-0"])
    assert bytes.fromhex(printed["output"]) == "ü".encode() + b"\xff=\n end"
    seen = dict(entry.partition("=")[::2] for entry in whole["output"].split("\0") if entry)
    assert seen.keys() == (os.environ.keys() | environment.keys()) - AGENT_VARIABLES.keys()
    assert seen["EMPTY"] == ""
    assert seen["PATH"] == os.environ["PATH"]


async def test_variables_for_agent_only_are_not_passed_on() -> None:
    async with running_agent(environment={**AGENT_VARIABLES, "MAKE": "kept"}) as agent:
        names = {entry.partition("=")[0] for entry in (await agent.run("env", "-0"))["output"].split("\0")}
    assert not names & AGENT_VARIABLES.keys()
    assert "MAKE" in names


async def test_variables_set_by_python_are_not_passed_on() -> None:
    # Without a locale, Python sets one (PEP 538).
    launcher = ("env", "-u", "LC_ALL", "-u", "LANG", "-u", "LC_CTYPE")
    async with running_agent(launcher=launcher) as agent:
        for _ in range(2):
            entries = (await agent.run("env", "-0"))["output"].split("\0")
            assert [entry for entry in entries if entry.startswith("LC_")] == []


async def test_unusual_environment_is_passed_on_unchanged() -> None:
    # A duplicate name, of which getenv(3) takes the first; an entry that is no variable; a name that is no text.
    program = (
        "import ctypes, os, sys\n"
        "entries = [b'TWICE=first', b'no variable', b'=no name', b'\\xff\\n=\\xfe', b'TWICE=second']\n"
        "entries += [name + b'=' + value for name, value in os.environb.items()]\n"
        "strings = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items)\n"
        "arguments = [argument.encode() for argument in sys.argv[1:]]\n"
        "ctypes.CDLL(None).execve(arguments[0], strings(arguments), strings(entries))\n"
    )
    async with running_agent(launcher=(sys.executable, "-c", program)) as agent:
        for _ in range(2):
            result = await agent.run("sh", "-c", "od -An -v -tx1 /proc/$$/environ")
            entries = bytes.fromhex(result["output"]).split(b"\0")
            assert [entry for entry in entries if entry.startswith((b"TWICE", b"no", b"=", b"\xff"))] == [
                b"TWICE=first",
                b"\xff\n=\xfe",
            ]


async def test_working_directory_is_that_of_agent(tmp_path: Path) -> None:
    made(tmp_path / "script", "#!/bin/sh\npwd\n")
    launcher = ("sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path))
    async with running_agent(launcher=launcher, environment={"PYTHONPATH": str(ROOT)}) as agent:
        assert (await agent.run("./script"))["output"] == f"{tmp_path}\n"


async def test_arguments_are_utf_8_in_any_locale() -> None:
    # By default Python uses UTF-8 in the C locale (PEP 538, PEP 540); with that disabled, it decodes bytes as ASCII.
    environment = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    text = "ü€\U0001f600\u0085"
    async with running_agent(environment=environment) as agent, await agent.connect() as client:
        assert (await client.ask(command=["printf", "%s", text]))["output"] == text
        bytewise = await client.ask(command=["sh", "-c", 'printf %s "$0" | od -An -v -tx1', text])
        assert bytes.fromhex(bytewise["output"]) == text.encode()
        missing = await client.ask(command=["/nowhere/ü"])
        assert missing["error"] == "cannot start /nowhere/ü: No such file or directory"


async def test_no_signal_is_ignored_caught_or_blocked_in_task(agent: Agent) -> None:
    assert await unusual_signals(agent) == 0


# SIGCHLD among them: a parent that ignores it cannot get the exit status of its children (wait(2)).
async def test_ignored_signals_of_agent_are_not_inherited_by_tasks() -> None:
    async with running_agent(launcher=IGNORING_SIGNALS) as agent:
        assert await unusual_signals(agent) == 0
        ended = await agent.run("sh", "-c", "kill -PIPE $$")
        assert ended["error"] == "terminated by signal SIGPIPE"
        assert (await agent.run("sh", "-c", "sleep 0.1; exit 7"))["exit_code"] == 7
        assert (await agent.run("sleep", "60", timeout=100))["error"] == "timeout exceeded"
        # Signals that were ignored at the start stay ignored, so only SIGKILL stops the agent.
        await agent.stop(signal.SIGKILL)


async def test_task_leads_its_own_session_and_group_without_terminal(agent: Agent) -> None:
    stat = (await agent.run("cat", "/proc/self/stat"))["output"]
    pid = stat.split()[0]
    group, session, terminal = stat.rpartition(")")[2].split()[2:5]
    assert (group, session, terminal) == (pid, pid, "0")


async def test_tasks_get_original_descriptor_limit_of_agent() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(500, hard - 1)
    async with running_agent(launcher=("sh", "-c", f'ulimit -S -n {soft} && exec "$@"', "sh")) as agent:
        own = next(line for line in limits(agent.worker) if line.startswith("Max open files"))
        assert own.split()[3:5] == [str(hard), str(hard)]
        task = await agent.run("sh", "-c", "ulimit -S -n; ulimit -H -n")
        assert task["output"] == f"{soft}\n{hard}\n"


async def test_other_limits_are_those_of_agent(agent: Agent) -> None:
    task = (await agent.run("cat", "/proc/self/limits"))["output"].splitlines()
    # The first one is the mark of a task (ARCHITECTURE, Containment), the second is tested above.
    expected = {"Max file locks", "Max open files"}
    different = {line[:14] for line, before in zip(task, limits(agent.pid), strict=True) if line != before}
    assert different <= expected


async def test_stderr_is_discarded(agent: Agent) -> None:
    result = await agent.run("sh", "-c", "echo one; echo two >&2; readlink /proc/self/fd/2; echo three")
    assert result["output"] == "one\n/dev/null\nthree\n"


# Hazard 14.
async def test_stdin_of_task_is_empty_whatever_that_of_agent_is() -> None:
    async with running_agent(launcher=("sh", "-c", 'exec "$@" </dev/zero', "sh")) as agent:
        assert "/dev/zero" in descriptors(agent.worker)
        result = await agent.run("sh", "-c", "cat; readlink /proc/$$/fd/0", timeout=20_000)
        assert (result["exit_code"], result["output"]) == (0, "/dev/null\n")
