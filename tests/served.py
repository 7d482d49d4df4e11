"""One client of the TCP adapter without a network: a transport that records, and a Connection that uses it."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

from fakes import FakeClock, FakePeers, FakeTaskIntake
from turns import settle

from execwire.adapters.tcp.connection import Connection
from execwire.adapters.tcp.surroundings import InFlight, Surroundings
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult

MAX_LINE = 1000
ADDRESSES = {"sockname": ("127.0.0.1", 3000), "peername": ("127.0.0.1", 50000)}


class FakeTransport(asyncio.Transport):
    """Records what is asked of it; ends like a real one, by telling its protocol in a later turn."""

    def __init__(self) -> None:
        super().__init__({**ADDRESSES, "socket": SimpleNamespace(family=socket.AF_INET)})
        self.protocol: asyncio.Protocol | None = None
        self.written = bytearray()
        self.reading = True
        self.wrote_eof = False
        self.closing = False
        self.aborted = False
        self.high_water: int | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        self.high_water = high

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        assert not self.wrote_eof, "a write after write_eof()"
        if not self.closing:
            self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.wrote_eof = True

    def is_reading(self) -> bool:
        return self.reading and not self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def _lose(self) -> None:
        if self.protocol is not None:
            self.protocol.connection_lost(None)


def echo(request: TaskRequest) -> TaskResult:
    """Succeed without output."""
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


@dataclass(kw_only=True)
class Limits:
    """Those of `Served`, with room enough for most tests."""

    requests: int = 100
    request_bytes: int = 1_000_000
    line_seconds: float = 60.0
    killed_with_client: bool = True


class Served:
    """A Connection over a FakeTransport, and the client's side of it."""

    def __init__(
        self, *gated: str, limits: Limits | None = None, answer: Callable[[TaskRequest], TaskResult] = echo
    ) -> None:
        limits = limits or Limits()
        self.intake = FakeTaskIntake(answer, gates={name: asyncio.Event() for name in gated})
        self.peers = FakePeers()
        self.lost: list[Connection] = []
        in_flight = InFlight(limits.requests, limits.request_bytes, limits.killed_with_client)
        self.connection = Connection(
            Surroundings(self.intake, FakeClock(), self.peers, MAX_LINE, limits.line_seconds, in_flight),
            lambda _: None,
            self.lost.append,
        )
        self.transport = FakeTransport()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    async def send(self, *lines: bytes) -> list[dict[str, Any]]:
        """Send these bytes one by one; return what has been answered in all, once nothing happens any more."""
        for line in lines:
            self.connection.data_received(line)
        await settle()
        return self.results

    async def end_of_file(self) -> None:
        """Close the client's sending side, as the transport passes it on."""
        if not self.connection.eof_received():
            self.transport.close()
        await settle()

    async def let_go(self, *names: str) -> list[dict[str, Any]]:
        for name in names:
            self.intake.gates[name].set()
        await settle()
        return self.results

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Leave nothing behind."""
        self.transport.abort()
        await settle()
        assert self.lost == [self.connection]

    @property
    def results(self) -> list[dict[str, Any]]:
        assert not self.transport.written or self.transport.written.endswith(b"\n")
        return [json.loads(line) for line in self.transport.written.splitlines()]

    @property
    def commands(self) -> list[str]:
        """The first words of what has been answered, in order."""
        return [result["command"][0] for result in self.results]

    @property
    def taken(self) -> list[str]:
        """The first words of what has been started, in order."""
        return [request.command[0] for request in self.intake.taken]


def ask(command: str, **fields: object) -> bytes:
    """One request line for a command of one word."""
    return json.dumps({"command": [command], **fields}).encode() + b"\n"
