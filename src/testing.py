"""Fakes of the ports for unit tests of users of this package: `Container(executor=FakeTaskExecutor(clock), …)`."""

import asyncio
import math
from dataclasses import dataclass, field

from .domain.control import TaskControl
from .domain.outcome import Execution, Exited, NotStarted, Outcome, Refused, ResultLost, Signalled, TimedOut
from .domain.output import BytesOutput
from .domain.ports.clock import Clock
from .domain.task import TaskRequest


@dataclass
class FakeClock:
    """A Clock whose time changes only when a test changes it."""

    unix: float = 1_700_000_000.0
    monotonic: float = 1000.0

    def unix_seconds(self) -> float:
        """Return `unix`."""
        return self.unix

    def monotonic_seconds(self) -> float:
        """Return `monotonic`."""
        return self.monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.unix += seconds
        self.monotonic += seconds


_STOP_SECONDS = {"ignore-stop": math.inf, "say-goodbye": 0.01}
"""Seconds from a stop to the end, for commands that do not end at once."""


@dataclass
class FakeTaskExecutor:
    """A TaskExecutor without processes and with its own commands: see `execute`.

    `started` has all requests that were started, `running` the commands that are running.
    """

    clock: Clock
    running: set[str] = field(default_factory=set[str])
    started: list[TaskRequest] = field(default_factory=list[TaskRequest])
    outcome: Outcome = field(default_factory=lambda: Exited(0))
    output: bytes = b""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    controls: list[TaskControl] = field(default_factory=list[TaskControl])
    """Those of the commands that run now."""

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """End at once with `outcome` and `output`; the command `wait` ends when `released` is set, or at its timeout.

        These commands determine their own outcome or output: `exit STATUS`, `die NUMBER NAME`, `say TEXT`,
        `say-much BYTES`, `missing`; `say-and-wait TEXT` is `wait` with its own output. When they are stopped, commands
        end at once, except `ignore-stop`, which ends when the grace is over, and `say-goodbye TEXT`, which ends a
        moment later, like the child of a leader that ends at once.
        """
        control = control or TaskControl()
        if control.verdict is not None:
            return Execution(control.verdict, BytesOutput(), self.clock.monotonic_seconds())
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
        output = b"" if isinstance(outcome, Refused | ResultLost) else output
        return Execution(outcome, BytesOutput(output), self.clock.monotonic_seconds())

    async def _wait(self, request: TaskRequest, control: TaskControl) -> Outcome:
        name = " ".join(request.command)
        self.running.add(name)
        self.controls.append(control)
        loop = asyncio.get_running_loop()
        released = asyncio.create_task(self.released.wait())
        timeout = None if request.timeout_ms is None else loop.call_later(request.timeout_ms / 1000, released.cancel)

        def stop(grace: float) -> None:
            if not self.released.is_set():
                loop.call_later(min(grace, _STOP_SECONDS.get(request.command[0], 0.0)), released.cancel)

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
            self.controls.remove(control)

    def stop_all(self, verdict: Outcome) -> int:
        """Stop all that runs, as TaskExecutor says."""
        stopped = sum(control.verdict is None for control in self.controls)
        for control in tuple(self.controls):
            control.stop(verdict)
        return stopped
