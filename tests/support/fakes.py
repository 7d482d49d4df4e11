"""The ports, faked: named after them, programmable, and without a process, a socket or a clock."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Execution, Exited, NotStarted, Outcome, Refused, Signalled, TimedOut
from execwire.domain.output import HeldOutput
from execwire.domain.ports.clock import Clock
from execwire.domain.task import TaskRequest, TaskResult


@dataclass
class FakeClock:
    """A Clock that stands still until a test moves it."""

    unix: float = 1_700_000_000.0
    monotonic: float = 1000.0

    def unix_seconds(self) -> float:
        return self.unix

    def monotonic_seconds(self) -> float:
        return self.monotonic

    def advance(self, seconds: float) -> None:
        self.unix += seconds
        self.monotonic += seconds


OBEYS_WITHIN = {"ignore-stop": math.inf, "say-goodbye": 0.01}
"""Seconds from being asked to end to the end, for commands that do not end at once."""


@dataclass
class FakeTaskExecutor:
    """A TaskExecutor whose commands are words of its own: see `execute`."""

    clock: Clock
    running: set[str] = field(default_factory=set[str])
    started: list[TaskRequest] = field(default_factory=list[TaskRequest])
    outcome: Outcome = field(default_factory=lambda: Exited(0))
    output: bytes = b""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """End at once with `outcome` and `output`; the command `wait` ends when `released`, or at its timeout.

        Commands that say themselves how they end: `exit STATUS`, `die NUMBER NAME`, `say TEXT`, `say-much BYTES`,
        `missing`; `say-and-wait TEXT` is `wait` with an output of its own. All of them end at once when they are
        stopped, but for `ignore-stop`, which takes all the grace that it is given, and `say-goodbye TEXT`, which says
        so a moment later, as the child of a leader that ends at once.
        """
        control = control or TaskControl()
        if control.verdict is not None:
            return Execution(control.verdict, HeldOutput(), self.clock.monotonic_seconds())
        self.started.append(request)
        outcome, output = self.outcome, self.output
        match request.command:
            case ("exit", status):
                outcome, output = Exited(int(status)), b""
            case ("die", number, name):
                outcome, output = Signalled(int(number), name), b""
            case ("say", text):
                outcome, output = Exited(0), text.encode()
            case ("say-much", count):
                outcome, output = Exited(0), bytes(int(count))
            case ("missing",):
                outcome, output = NotStarted("cannot start missing: there is nothing of that name"), b""
            case ("wait" | "ignore-stop", *_):
                outcome = await self._wait(request, control)
            case ("say-and-wait" | "say-goodbye", text, *_):
                outcome, output = await self._wait(request, control), text.encode()
            case _:
                pass
        output = b"" if isinstance(outcome, Refused) else output
        return Execution(outcome, HeldOutput(output), self.clock.monotonic_seconds())

    async def _wait(self, request: TaskRequest, control: TaskControl) -> Outcome:
        name = " ".join(request.command)
        self.running.add(name)
        loop = asyncio.get_running_loop()
        released = asyncio.create_task(self.released.wait())
        timeout = None if request.timeout_ms is None else loop.call_later(request.timeout_ms / 1000, released.cancel)

        def stop(grace: float) -> None:
            if not self.released.is_set():
                loop.call_later(min(grace, OBEYS_WITHIN.get(request.command[0], 0.0)), released.cancel)

        control.on_stop = stop
        try:
            await asyncio.wait({released})
            return (control.verdict or TimedOut()) if released.cancelled() else self.outcome
        finally:
            control.on_stop = None
            released.cancel()
            if timeout is not None:
                timeout.cancel()
            self.running.discard(name)


@dataclass
class FakeTaskIntake:
    """A TaskIntake that answers with what `answer` returns, and has room for as long as a test says so."""

    answer: Callable[[TaskRequest], TaskResult]
    has_room: bool = True
    taken: list[TaskRequest] = field(default_factory=list[TaskRequest])
    gates: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    cancelled: list[TaskRequest] = field(default_factory=list[TaskRequest])
    stopped: list[TaskRequest] = field(default_factory=list[TaskRequest])
    turns: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    async def room(self) -> None:
        if not self.has_room:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.turns.append(turn)
            await turn

    def fill(self) -> None:
        self.has_room = False

    def grant(self) -> None:
        """Give a turn to whoever has waited longest."""
        turn = self.turns.popleft()
        if not turn.done():
            turn.set_result(None)

    def make_room(self) -> None:
        """Have room for everybody again."""
        self.has_room = True
        while self.turns:
            self.grant()

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Answer at once, or, for a command whose first word is in `gates`, once that event is set or it is stopped."""
        control = control or TaskControl()
        if control.verdict is None:
            self.taken.append(request)
            gate = self.gates.get(request.command[0])
            if gate is not None:
                await self._wait(gate, control, request)
        if control.verdict is not None:
            self.stopped.append(request)
        return self.answer(request)

    async def _wait(self, gate: asyncio.Event, control: TaskControl, request: TaskRequest) -> None:
        waiting = asyncio.ensure_future(gate.wait())
        control.on_stop = lambda _: waiting.cancel()
        try:
            await asyncio.wait({waiting})
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise
        finally:
            control.on_stop = None
            waiting.cancel()


@dataclass
class FakeOutput:
    """A CapturedOutput in given pieces, in memory or not, that counts how often it was closed."""

    pieces: list[bytes]
    in_memory: bool = False
    failure: Exception | None = None
    closed: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def held(self) -> bytes | None:
        return b"".join(self.pieces) if self.in_memory else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed += 1
