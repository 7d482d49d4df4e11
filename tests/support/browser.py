"""Chromium with a page of ours, under a name that leads to a server of ours first and to the agent afterwards."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

HOST = "rebound.test"
DONE = b"GET /done "
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-sync", "--disable-component-update", "--disable-dev-shm-usage", "--disable-extensions",
)  # fmt: skip


def chromium() -> str | None:
    """Where it is, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Rebinding:
    """Serves `page` to whoever asks first; every later connection is passed on to the agent's port, byte for byte.

    That is what a name does that is resolved anew: to the browser both are one origin.
    """

    def __init__(self, page: str, agent_port: int) -> None:
        self.page = page
        self.sent: list[bytes] = []
        """What the browser has sent on each connection that was passed on."""
        self.answers: list[bytes] = []
        """What the agent has sent on it."""
        self.done = asyncio.Event()
        self._agent_port = agent_port
        self._is_rebound = False
        self._relays: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(64 * 1024)
        if not first:
            pass
        elif not self._is_rebound:
            self._is_rebound = True
            body = self.page.encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(body) + body)
        elif first.startswith(DONE):
            self.done.set()
        else:
            await self._relay(first, reader, writer)
        writer.close()

    async def _relay(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.sent)
        self.sent.append(first)
        self.answers.append(b"")
        from_agent, to_agent = await asyncio.open_connection("127.0.0.1", self._agent_port)
        to_agent.write(first)

        async def pass_on() -> None:
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(64 * 1024):
                    self.sent[number] += piece
                    to_agent.write(piece)

        passing = asyncio.create_task(pass_on())
        with contextlib.suppress(ConnectionError):
            while piece := await from_agent.read(64 * 1024):
                self.answers[number] += piece
                writer.write(piece)
        passing.cancel()
        to_agent.close()


@asynccontextmanager
async def browsing(rebinding: Rebinding) -> AsyncGenerator[None]:
    """Have Chromium load the page; it ends with the block."""
    server = await asyncio.start_server(rebinding.accept, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            chromium() or "chromium", *SWITCHES, f"--user-data-dir={folder}",
            f"--host-resolver-rules=MAP {HOST} 127.0.0.1", f"http://{HOST}:{port}/",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HOME": folder, "TMPDIR": folder}, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            # It is not reaped yet, so the group is still its own.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            server.close()
