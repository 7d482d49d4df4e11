"""Signals that stop the agent, as they arrive in practice: several at once, and at any moment."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest
from agent import running_agent
from proc import children, eventually, is_alive
from trees import sleeper

from execwire.app.stop_signals import IGNORED_SIGNALS, UNUSED_SIGNALS

# Each log line is interrupted by the next signal: a handler that waits for the log's lock would deadlock.
INTERRUPTED = """
import os, signal
from execwire.app.logs import configure_logging
from execwire.app.supervision.supervisor import Supervisor

signals = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]

class Interrupted:
    def write(self, text):
        if signals:
            os.kill(os.getpid(), signals.pop())
        return os.write(2, text.encode())

    def flush(self):
        pass

def work(orders, ready):
    os.write(ready, b"!")
    while os.read(orders, 1) == b"s":
        pass
    return 0

configure_logging("info", Interrupted(), terminal=False)
raise SystemExit(Supervisor(1, work, 5.0).run(lambda: os.kill(os.getpid(), signal.SIGTERM)))
"""


async def test_stop_signal_during_log_write_is_handled() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", INTERRUPTED, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(20):
            _, log = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert log.count(b'"event": "stopping"') >= 2


async def test_flood_of_stop_signals_shuts_down_cleanly() -> None:
    async with running_agent() as agent:
        for _ in range(100):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                agent.process.send_signal(number)
        assert await agent.stop() == 0


async def test_unused_signals_end_no_process(tmp_path: Path) -> None:
    tree = sleeper(tmp_path)
    async with running_agent() as agent, await agent.connect() as client:
        await client.request(command=list(tree.command))
        await eventually(lambda: bool(tree.written))
        alive = {agent.pid, agent.worker, *tree.alive}
        for number in (*UNUSED_SIGNALS, *IGNORED_SIGNALS):
            for pid in (agent.pid, agent.worker):
                os.kill(pid, number)
        await eventually(lambda: agent.log_text().count("signal ignored") == 2 * len(UNUSED_SIGNALS))
        assert (await agent.run("echo", "well"))["output"] == "well\n"
        assert {agent.pid, agent.worker, *tree.alive} == alive


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGSYS])
async def test_crash_of_supervisor_or_worker_kills_its_tasks(tmp_path: Path, number: int) -> None:
    first, second = sleeper(tmp_path, "first"), sleeper(tmp_path, "second")
    async with running_agent(launcher=("prlimit", "--core=0")) as agent:
        async with await agent.connect() as client:
            await client.request(command=list(first.command))
            await eventually(lambda: bool(first.written))
            os.kill(agent.worker, number)
            await eventually(lambda: not first.alive)
        await eventually(lambda: len(agent.workers) == 1)
        async with await agent.connect() as client:
            await client.request(command=list(second.command))
            await eventually(lambda: bool(second.written))
            worker = agent.worker
            os.kill(agent.pid, number)
            await eventually(lambda: not second.alive and not is_alive(worker))
        assert await agent.process.wait() == -number


async def test_sighup_under_nohup_is_ignored() -> None:
    async with running_agent(launcher=("nohup",)) as agent:
        agent.process.send_signal(signal.SIGHUP)
        agent.process.send_signal(signal.SIGUSR1)
        await eventually(lambda: "signal ignored" in agent.log_text())
        assert (await agent.run("echo", "well"))["output"] == "well\n"
        assert "stopping" not in agent.log_text()


async def test_ctrl_c_is_ignored_in_background_of_script() -> None:
    # POSIX: what a shell without job control starts with & has SIGINT and SIGQUIT ignored.
    async with running_agent(launcher=("sh", "-c", "trap '' INT QUIT; exec \"$@\"", "sh")) as agent:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
            agent.process.send_signal(number)
        await eventually(lambda: "signal ignored" in agent.log_text())
        assert (await agent.run("echo", "well"))["output"] == "well\n"
        # Tasks still get the default dispositions.
        result = await agent.run("grep", "SigIgn", "/proc/self/status")
        ignored = int(result["output"].split()[1], 16)
        assert not any(ignored & 1 << number - 1 for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTTOU))
        assert await agent.stop() == 0


# The leader of a session whose terminal stops background processes that write to it; it starts the command as one.
IN_THE_BACKGROUND = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
settings = termios.tcgetattr(2)
settings[3] |= termios.TOSTOP
termios.tcsetattr(2, termios.TCSANOW, settings)
if os.fork() == 0:
    os.setpgid(0, 0)
    os.execv(sys.argv[1], sys.argv[1:])
os.wait()
"""


async def test_agent_serves_and_logs_in_background_of_terminal_with_tostop() -> None:
    reading, writing = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IN_THE_BACKGROUND, sys.executable, "-m", "execwire", "serve", "--port", "0",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=writing,
    )  # fmt: skip
    os.close(writing)
    os.set_blocking(reading, False)
    log = b""

    def has_logged(text: bytes) -> bool:
        nonlocal log
        with contextlib.suppress(BlockingIOError, OSError):
            log += os.read(reading, 65536)
        return text in log

    try:
        await eventually(lambda: has_logged(b"listening on"), 20.0)
        [agent] = children(process.pid)
        os.kill(agent, signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()
        assert has_logged(b"stopped")
    finally:
        os.close(reading)
        if process.returncode is None:
            for pid in (*children(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            await process.wait()
