"""Fakes of other ports, for the tests of this package only."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from execwire.app.policies.drain import Drain
from execwire.domain.control import TaskControl
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock, FakeTaskExecutor


@dataclass
class FakeTaskIntake:
    """A TaskIntake that returns the result of `answer`, and has capacity as set by a test."""

    answer: Callable[[TaskRequest], TaskResult]
    has_capacity: bool = True
    taken: list[TaskRequest] = field(default_factory=list[TaskRequest])
    gates: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    cancelled: list[TaskRequest] = field(default_factory=list[TaskRequest])
    stopped: list[TaskRequest] = field(default_factory=list[TaskRequest])
    turns: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    async def wait_for_capacity(self) -> None:
        if not self.has_capacity:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.turns.append(turn)
            await turn

    def fill(self) -> None:
        self.has_capacity = False

    def grant(self) -> None:
        """Wake the caller that has waited longest."""
        turn = self.turns.popleft()
        if not turn.done():
            turn.set_result(None)

    def release_all(self) -> None:
        """Set capacity and wake all waiting callers."""
        self.has_capacity = True
        while self.turns:
            self.grant()

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Return at once; if the command's first word is in `gates`, when that event is set or the task is stopped."""
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
    """A CapturedOutput of given pieces, in memory or not, that counts calls of close()."""

    pieces: list[bytes]
    is_in_memory: bool = False
    failure: Exception | None = None
    closed: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def in_memory(self) -> bytes | None:
        return b"".join(self.pieces) if self.is_in_memory else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed += 1


def a_drain(row: memoryview | None = None) -> Drain:
    """Return the Drain of an executor that runs nothing."""
    return Drain(FakeTaskExecutor(FakeClock()), row)
