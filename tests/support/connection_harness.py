"""One client of the TCP adapter without a network: a Connection over a fake transport."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from event_loop import settle
from fake_peers import FakePeer, FakePeers
from fake_transport import FakeTransport
from fakes import FakeTaskIntake

from execwire.adapters.tcp.connection import Connection
from execwire.adapters.tcp.context import ConnectionContext, InFlightLimits
from execwire.domain.memory import MemoryBudget
from execwire.domain.output import NO_OUTPUT
from execwire.domain.ports.overflow import OverflowStore
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock

MAX_LINE = 1000
PLENTY = 1 << 40


def echo(request: TaskRequest) -> TaskResult:
    """Succeed without output."""
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


@dataclass(kw_only=True)
class Limits:
    """Limits of `Served`, sufficient for most tests."""

    requests: int = 100
    memory: MemoryBudget | None = None
    store: OverflowStore | None = None
    line_seconds: float = 60.0
    killed_with_client: bool = True


def context(
    intake: FakeTaskIntake, limits: Limits | None = None, memory: MemoryBudget | None = None
) -> ConnectionContext:
    """Return the context that connections share, with these limits."""
    limits = limits or Limits()
    in_flight = InFlightLimits(limits.requests, limits.killed_with_client)
    memory = memory or MemoryBudget(PLENTY)
    return ConnectionContext(
        intake, FakeClock(), FakePeers(), MAX_LINE, limits.line_seconds, in_flight, memory, limits.store
    )


class Served:
    """A Connection over a FakeTransport, and the client's side of it."""

    def __init__(
        self,
        *gated: str,
        limits: Limits | None = None,
        answer: Callable[[TaskRequest], TaskResult] = echo,
        intake: FakeTaskIntake | None = None,
    ) -> None:
        """Commands whose first word is in `gated` wait; several instances can share an `intake`."""
        limits = limits or Limits()
        self.intake = intake or FakeTaskIntake(answer, gates={name: asyncio.Event() for name in gated})
        self.peer = FakePeer()
        self.lost: list[Connection] = []
        self.made: list[Connection] = []
        self.told: list[Connection] = []
        self.shares_memory = limits.memory is not None
        self.memory = limits.memory or MemoryBudget(PLENTY)
        self.connection = Connection(
            context(self.intake, limits, self.memory),
            self.peer,
            self.made.append,
            self.told.append,
            self.lost.append,
        )
        self.transport = FakeTransport(self.connection)
        self.connection.connection_made(self.transport)
        assert self.made == [self.connection]

    async def send(self, *pieces: bytes) -> list[dict[str, Any]]:
        """Send these bytes, a piece at a time; return all results so far, after all callbacks have run."""
        for piece in pieces:
            self.transport.deliver(piece)
        await settle()
        return self.results

    async def end_of_file(self) -> None:
        """Close the client's sending side."""
        self.transport.deliver(None)
        await settle()

    async def let_go(self, *names: str) -> list[dict[str, Any]]:
        for name in names:
            self.intake.gates[name].set()
        await settle()
        return self.results

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Abort the connection and check that its memory is released."""
        self.transport.abort()
        await settle()
        assert self.lost == [self.connection]
        if not self.shares_memory:
            assert self.memory.free == MemoryBudget(PLENTY).free

    @property
    def results(self) -> list[dict[str, Any]]:
        assert not self.transport.written or self.transport.written.endswith(b"\n")
        return [json.loads(line) for line in self.transport.written.splitlines()]

    @property
    def commands(self) -> list[str]:
        """The first word of the command of each result, in order; empty if a result has no command."""
        return [" ".join(result["command"][:1]) for result in self.results]

    @property
    def taken(self) -> list[str]:
        """The first word of each started command, in order."""
        return [request.command[0] for request in self.intake.taken]

    def told_the_end(self) -> bool:
        return self.transport.wrote_eof

    @property
    def errors(self) -> list[str]:
        return [result["error"] for result in self.results]


def ask(command: str, **fields: object) -> bytes:
    """Return a request line for a command of one word."""
    return json.dumps({"command": [command], **fields}).encode() + b"\n"
