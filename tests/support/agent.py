"""A real agent on a free port, and a client for it."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from proc import children, command_line, is_alive

START_SECONDS = 20.0
ANSWER_SECONDS = 60.0
_OPEN_TO_ITS_USER = """
from execwire.app import cli
from execwire.app.commands import serve
serve.forbid_dumps = lambda: None
cli.main()
"""
PROGRAM = ("-m", "execwire") if os.geteuid() == 0 else ("-c", _OPEN_TO_ITS_USER)
"""Tests read the descriptors of the agent; an ordinary user can do that only if the agent is dumpable."""


class Agent:
    """An `execwire serve` process; `log` is the file with its stderr."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.port = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """The workers: children of the supervisor with its command line, which adopted processes do not have."""
        line = command_line(self.pid)
        return [pid for pid in children(self.pid) if is_alive(pid) and command_line(pid) == line]

    @property
    def worker(self) -> int:
        (pid,) = self.workers
        return pid

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def wait_until_listening(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while True:
                match = re.search(r"listening on \S*:(\d+)", self.log_text())
                if match:
                    self.port = int(match[1])
                    return
                assert self.process.returncode is None, self.log_text()
                await asyncio.sleep(0.01)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(START_SECONDS):
            return await self.process.wait()

    async def connect(self) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=64 * 1024 * 1024)
        return Client(reader, writer)

    async def run(self, *command: str, **fields: object) -> dict[str, Any]:
        """Run one task on a separate connection."""
        async with await self.connect() as client:
            return await client.ask(command=list(command), **fields)


class Client:
    """One connection, with newline-terminated JSON in both directions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def request(self, **fields: object) -> None:
        await self.send(json.dumps(fields).encode() + b"\n")

    async def result(self) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await self.reader.readuntil(b"\n")
        result: dict[str, Any] = json.loads(line)
        return result

    async def ask(self, **fields: object) -> dict[str, Any]:
        await self.request(**fields)
        return await self.result()

    async def at_end(self) -> bytes:
        """Read until the agent closes the connection; return the data."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self.reader.read()


@asynccontextmanager
async def running_agent(
    *options: str, environment: dict[str, str] | None = None, launcher: tuple[str, ...] = ()
) -> AsyncGenerator[Agent]:
    """Start an agent of one worker with these options, and stop it at the end of the context.

    `launcher` is a command that changes its own attributes and then executes the agent, such as setpriv(1).
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *launcher, sys.executable, *PROGRAM, "serve", "--port", "0", "--workers", "1", *options,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        agent = Agent(process, log)
        try:
            await agent.wait_until_listening()
            yield agent
        finally:
            if process.returncode is None:
                for number in (signal.SIGQUIT, signal.SIGTERM):
                    process.send_signal(number)
                try:
                    async with asyncio.timeout(START_SECONDS):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
                    pytest.fail(f"the agent did not stop: {agent.log_text()}")
