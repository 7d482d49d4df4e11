"""Chromium with a page under a host name that resolves to a test server first and to the agent afterwards."""

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
    """The path of the browser, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Rebinding:
    """Serves `page` on the first connection; later connections are forwarded to the agent's port byte for byte.

    This simulates DNS rebinding: for the browser both servers are the same origin.
    """

    def __init__(self, page: str, agent_port: int) -> None:
        self.page = page
        self.sent: list[bytes] = []
        """What the browser has sent on each forwarded connection."""
        self.answers: list[bytes] = []
        """What the agent has sent on each of them."""
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

        async def forward() -> None:
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(64 * 1024):
                    self.sent[number] += piece
                    to_agent.write(piece)

        forwarding = asyncio.create_task(forward())
        with contextlib.suppress(ConnectionError):
            while piece := await from_agent.read(64 * 1024):
                self.answers[number] += piece
                writer.write(piece)
        forwarding.cancel()
        to_agent.close()


@asynccontextmanager
async def browsing(rebinding: Rebinding) -> AsyncGenerator[None]:
    """Load the page in Chromium, which is killed at the end of the context."""
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
            # The process is not reaped yet, so its pid still identifies the group.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            server.close()
