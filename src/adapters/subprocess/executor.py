"""The TaskExecutor that runs real processes of this machine."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Self

from ...domain.budget import Budget
from ...domain.control import TaskControl
from ...domain.outcome import Cancelled, Execution, Outcome
from ...domain.output import NO_OUTPUT, CapturedOutput
from ...domain.ports.clock import Clock
from ...domain.task import TaskRequest
from ..linux.subreaper import become_subreaper
from ..linux.timer_slack import timer_slack
from .containment import Containment
from .context import Leftovers, ProcessContext
from .exit_watcher import ExitWatcher
from .oom_score import score_for_tasks
from .output.overflow import keep
from .output.pipe_discarder import PipeDiscarder
from .output.spool import Spool
from .poller import Poller
from .process import Process
from .process_starter import ProcessStarter
from .spawn.launcher import Launcher
from .spawn.posix import Spawner
from .spawn.starter import Starter
from .uncancelled import finish_uncancelled
from .wakeup import wake


@dataclass(frozen=True, slots=True)
class SubprocessSettings:
    """What an operator decides of processes: bytes, and seconds for `linger`; a `max_output` of None is no limit.

    `descriptor_limit` is RLIMIT_NOFILE, soft and hard, as tasks get it, and `environment` all of theirs. A
    `task_oom_score_adj` above 0 is theirs too (proc(5)).
    """

    descriptor_limit: tuple[int, int]
    environment: dict[bytes, bytes]
    leftovers: Leftovers
    linger: float
    max_output: int | None
    max_spool: int
    spool_dir: str
    task_oom_score_adj: int = 0


class SubprocessExecutor:
    """Runs commands by posix_spawn(3); works between entering and leaving `async with`, on one event loop."""

    def __init__(self, settings: SubprocessSettings, clock: Clock, memory: Budget) -> None:
        """Output stays in memory as far as there is `memory` for it."""
        self._settings = settings
        self._memory = memory
        self._clock = clock
        self._running: dict[TaskControl, None] = {}
        # Set while the end of all that run is waited for.
        self._none_left: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        """Open what tasks share."""
        settings = self._settings
        poller, slack = Poller(), timer_slack()
        self._context = ProcessContext(
            clock=self._clock,
            containment=Containment(slack),
            discarder=PipeDiscarder(poller),
            leftovers=settings.leftovers,
            poller=poller,
            exit_watcher=ExitWatcher(poller),
            loop=asyncio.get_running_loop(),
            spool=Spool(settings.spool_dir, settings.max_spool, self._memory),
            linger=settings.linger,
            max_output=settings.max_output,
        )
        oom_score = score_for_tasks(settings.task_oom_score_adj)
        become_subreaper()
        self._spawner = Spawner(settings.descriptor_limit, settings.environment, slack)
        self._starter = Starter(self._context.containment, poller, settings.environment)
        self._starter.open()
        launcher = Launcher(self._spawner, self._starter)
        self._process_starter = ProcessStarter(self._spawner, launcher, self._context, oom_score)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Kill what still runs and close what tasks shared."""
        self.stop_all(Cancelled())
        while self._running:
            self._none_left = asyncio.get_running_loop().create_future()
            await self._none_left
        if self._settings.leftovers is Leftovers.KILL_ALL:
            await self._context.containment.kill_orphans()
        self._starter.close()
        await self._context.containment.close()
        self._spawner.close()
        self._context.exit_watcher.close()
        self._context.spool.close()
        self._context.discarder.close()
        self._context.poller.close()

    @property
    def disk(self) -> Budget:
        """What there is of `max_spool`."""
        return self._context.spool.disk

    async def keep(self, data: bytes) -> CapturedOutput:
        """Keep bytes in the spool, as OverflowStore says."""
        return await keep(data, self._context.spool)

    def stop_all(self, verdict: Outcome) -> int:
        """Kill all that runs, as TaskExecutor says."""
        controls = tuple(self._running)
        stopped = sum(control.verdict is None for control in controls)
        for control in controls:
            control.stop(verdict)
        return stopped

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """Run the command to its end, as TaskExecutor says."""
        control = control or TaskControl()
        self._running[control] = None
        cancelled = False
        try:
            process = self._process_starter.start(request, control)
            if not isinstance(process, Process):
                if isinstance(process, Coroutine):
                    process = await process
                if not isinstance(process, Process):
                    return Execution(process, NO_OUTPUT, self._clock.monotonic_seconds())
            result = process.result
            while not result.complete:
                try:
                    await result.ended
                except asyncio.CancelledError:
                    # What was started has to be cleaned up before the cancellation may be passed on.
                    result.ended = asyncio.get_running_loop().create_future()
                    cancelled = True
                    control.stop(Cancelled())
            # The ExitWatcher knows the process for some milliseconds more, which must not keep the output alive.
            execution, result.execution = result.execution, None
            if execution is None:
                process.disown()
                raise result.failure or AssertionError
        finally:
            # Also where memory has run out in the middle: a stop must not wait for it for ever.
            del self._running[control]
            if self._none_left is not None and not self._running:
                wake(self._none_left, None)
        if cancelled:
            execution.output.close()
            await finish_uncancelled(self._context.spool.wait_discarded())
            raise asyncio.CancelledError
        return execution
