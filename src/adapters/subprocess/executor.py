"""The TaskExecutor that runs real processes of this machine."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self

from ...domain.outcome import Execution, NotStarted, Outcome
from ...domain.output import NO_OUTPUT, CapturedOutput
from ...domain.ports import Clock
from ...domain.task import TaskRequest
from .containment import Containment
from .leader import Exits
from .process import Handling, Leftovers, Process
from .spawn import Busy, Spawned, Spawner
from .spool import Spool
from .subreaper import become_subreaper
from .watch import Watch

BUSY_RETRY_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class SubprocessSettings:
    """What an operator decides of processes: bytes, and seconds for `linger`; a `max_output` of None is no limit.

    `descriptor_limit` is RLIMIT_NOFILE, soft and hard, as tasks get it.
    """

    descriptor_limit: tuple[int, int]
    leftovers: Leftovers
    linger: float
    max_output: int | None
    max_spool: int
    max_held: int
    spool_dir: str


class SubprocessExecutor:
    """Runs commands by posix_spawn(3); works between entering and leaving `async with`, on one event loop."""

    def __init__(self, settings: SubprocessSettings, clock: Clock) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._clock = clock
        self._running: set[Process] = set()
        self._none_left = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open what tasks share."""
        settings = self._settings
        watch = Watch()
        self._handling = Handling(
            clock=self._clock,
            containment=Containment(),
            leftovers=settings.leftovers,
            watch=watch,
            exits=Exits(watch),
            spool=Spool(settings.spool_dir, settings.max_spool, settings.max_held),
            linger=settings.linger,
            max_output=settings.max_output,
        )
        self._spawner = Spawner(settings.descriptor_limit)
        become_subreaper()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Kill what still runs and close what tasks shared."""
        for process in self._running:
            process.leader.kill_group()
        while self._running:
            self._none_left.clear()
            await self._none_left.wait()
        if self._settings.leftovers is Leftovers.KILL_ALL:
            await self._handling.containment.end_adopted()
        await self._handling.containment.close()
        self._spawner.close()
        self._handling.exits.close()
        self._handling.spool.close()
        self._handling.watch.close()

    async def execute(self, request: TaskRequest) -> Execution:
        """Run the command to its end, as TaskExecutor says."""
        spawned = self._spawner.spawn(request.command, self._handling.containment.new_mark())
        if isinstance(spawned, Busy):
            spawned = await self._spawn_again(request, spawned)
        process = spawned if isinstance(spawned, NotStarted) else self._process(spawned, request.timeout_ms)
        if isinstance(process, NotStarted):
            return Execution(process, NO_OUTPUT, self._clock.monotonic_seconds())
        self._running.add(process)
        try:
            outcome, output, interrupted = await _see_out(process)
        finally:
            # Also where memory has run out in the middle: a stop must not wait for it for ever.
            self._running.discard(process)
            if not self._running:
                self._none_left.set()
        if interrupted:
            output.close()
            await _see_through(self._handling.spool.freed())
            raise asyncio.CancelledError
        return Execution(outcome, output, process.leader.ended_at or self._clock.monotonic_seconds())

    async def _spawn_again(self, request: TaskRequest, busy: Busy) -> Spawned | NotStarted:
        for seconds in BUSY_RETRY_SECONDS:
            await asyncio.sleep(seconds)
            spawned = self._spawner.spawn(request.command, self._handling.containment.new_mark())
            if not isinstance(spawned, Busy):
                return spawned
        return busy

    def _process(self, spawned: Spawned, timeout_ms: float | None) -> Process | NotStarted:
        try:
            return Process(spawned, None if timeout_ms is None else timeout_ms / 1000, self._handling)
        except OSError as error:
            return _undo(spawned, error)


def _undo(spawned: Spawned, error: OSError) -> NotStarted:
    os.killpg(spawned.pid, 9)
    os.waitpid(spawned.pid, 0)
    os.close(spawned.stdout)
    return NotStarted(f"cannot watch the process: {error.strerror}")


async def _see_out(process: Process) -> tuple[Outcome, CapturedOutput, bool]:
    """Return how it ended, what it wrote, and whether that was cancelled meanwhile."""
    interrupted = False
    try:
        await process.over
    except asyncio.CancelledError:
        interrupted = True
    if not process.at_rest:
        interrupted |= await _see_through(process.end())
    return *process.collect(), interrupted


async def _see_through(ending: Coroutine[Any, Any, None]) -> bool:
    """Await `ending` to its end even if cancelled meanwhile; return whether that was so."""
    task = asyncio.ensure_future(ending)
    interrupted = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            interrupted = True
    task.result()
    return interrupted
