import asyncio
import fcntl
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from agent import START_SECONDS, Agent, running_agent
from proc import eventually

SMALL_PIPE = 4096
TASKS = 100


class LogReader:
    """The reading end of an agent's stderr, which a test may stop reading or close."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.text = ""
        os.set_blocking(descriptor, False)

    def has(self, pattern: str) -> re.Match[str] | None:
        """Read what is available; search for `pattern` in everything read so far."""
        # A terminal whose other side is closed reports an error instead of end-of-file.
        with suppress(BlockingIOError, OSError):
            while data := os.read(self.descriptor, 65536):
                self.text += data.decode()
        return re.search(pattern, self.text)

    def stop(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def small_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
    return reading, writing


@asynccontextmanager
async def agent_logging_to(
    channel: Callable[[], tuple[int, int]], *options: str
) -> AsyncGenerator[tuple[Agent, LogReader]]:
    """Start an agent whose stderr is one end of a channel, and read from the other end."""
    reading, writing = channel()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "execwire", "serve", "--port", "0", *options, stderr=writing,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    log = LogReader(reading)
    agent = Agent(process, Path(os.devnull))
    try:
        await eventually(lambda: log.has(r"listening on \S*:\d+") is not None, START_SECONDS)
        match = log.has(r"listening on \S*:(\d+)")
        assert match is not None
        agent.port = int(match[1])
        yield agent, log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        log.stop()


async def run_tasks(agent: Agent, count: int) -> None:
    async with await agent.connect() as client:
        await client.send(b'{"command":["true"]}\n' * count)
        assert [(await client.result())["exit_code"] for _ in range(count)] == [0] * count


# Hazard 29.
@pytest.mark.parametrize("is_closed", [False, True])
async def test_agent_with_unread_log_serves_and_shuts_down_cleanly(*, is_closed: bool) -> None:
    # At level debug each task logs a line, and a few of them fill the pipe.
    async with agent_logging_to(small_pipe, "--log-level", "debug") as (agent, log):
        if is_closed:
            log.stop()
        for _ in range(3):
            await run_tasks(agent, TASKS)
        assert await agent.stop() == 0


# Hazard 29.
async def test_log_that_is_read_late_is_complete() -> None:
    async with agent_logging_to(small_pipe, "--log-level", "debug") as (agent, log):
        await run_tasks(agent, TASKS)
        await eventually(lambda: (log.has("task ended"), log.text.count("task ended") == TASKS)[1])


async def test_log_without_terminal_is_json_lines() -> None:
    async with running_agent() as agent:
        await run_tasks(agent, 3)
        assert await agent.stop() == 0
        lines = [json.loads(line) for line in agent.log_text().splitlines()]
        assert len(lines) >= 3
        for line in lines:
            assert {"event", "level", "timestamp"} <= set(line)
            assert line["level"] in {"info", "warning"}
        # At level info a task logs nothing.
        assert not any("task" in line["event"] for line in lines)


async def test_debug_level_logs_each_task() -> None:
    async with running_agent("--log-level", "debug") as agent:
        shell = await agent.run("sh", "-c", "echo $$; exit 7", id="seven")
        assert shell["exit_code"] == 7
        await run_tasks(agent, 3)
        assert await agent.stop() == 0
        ended = [line for line in map(json.loads, agent.log_text().splitlines()) if line["event"] == "task ended"]
        assert [line["exit_code"] for line in ended] == [7, 0, 0, 0]
        assert (ended[0]["level"], ended[0]["command"]) == ("debug", ["sh", "-c", "echo $$; exit 7"])
        assert (ended[0]["id"], ended[0]["pid"]) == ("seven", int(shell["output"]))
        # The first task is one client's, the others are another's.
        assert [line["client"] - ended[0]["client"] for line in ended] == [0, 1, 1, 1]


async def test_log_on_terminal_is_plain_text() -> None:
    async with agent_logging_to(os.openpty) as (agent, log):
        await run_tasks(agent, 1)
        agent.process.send_signal(signal.SIGINT)
        await eventually(lambda: log.has("stopped") is not None)
        assert await agent.process.wait() == 0
        assert "listening on" in log.text
        for line in log.text.splitlines():
            with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
                json.loads(line)
