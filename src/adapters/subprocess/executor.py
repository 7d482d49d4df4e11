"""The TaskExecutor that runs real processes of this machine."""

import asyncio
import os
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
from .oom_score import raise_oom_score, score_for_tasks
from .outcomes import outcome_of_failure
from .output.overflow import keep
from .output.pipe_discarder import PipeDiscarder
from .output.spool import Spool
from .poller import Poller
from .process import Process
from .spawn.arguments import MANY_ARGUMENTS, refuse_too_long
from .spawn.launcher import Launcher
from .spawn.posix import Spawned, Spawner
from .spawn.starter import Starter
from .wakeup import wake


@dataclass(frozen=True, slots=True)
class SubprocessSettings:
    """The settings of processes, in bytes, and seconds for `linger`; a `max_output` of None is no limit.

    `descriptor_limit` is the RLIMIT_NOFILE of tasks, soft and hard; `environment` is their whole environment. Tasks get
    `task_oom_score_adj` too if it is above 0 (proc(5)).
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
    """Runs commands by posix_spawn(3); usable inside `async with`, on one event loop."""

    def __init__(self, settings: SubprocessSettings, clock: Clock, memory: Budget) -> None:
        """Output stays in memory as far as the budget `memory` allows."""
        self._settings = settings
        self._memory = memory
        self._clock = clock
        self._running: set[TaskControl] = set()
        # Set while `__aexit__` waits for running tasks.
        self._none_left: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the resources that tasks share."""
        settings = self._settings
        poller, slack = Poller(), timer_slack()
        self._context = ProcessContext(
            clock=self._clock,
            containment=Containment(slack),
            discarder=PipeDiscarder(poller),
            leftovers=settings.leftovers,
            poller=poller,
            exit_watcher=ExitWatcher(poller),
            spool=Spool(settings.spool_dir, settings.max_spool, self._memory),
            linger=settings.linger,
            max_output=settings.max_output,
        )
        self._oom_score = score_for_tasks(settings.task_oom_score_adj)
        become_subreaper()
        self._spawner = Spawner(settings.descriptor_limit, settings.environment, slack)
        self._starter = Starter(self._context.containment, poller, settings.environment)
        self._starter.open()
        self._launcher = Launcher(self._spawner, self._starter)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Kill running tasks and close the shared resources."""
        for control in tuple(self._running):
            control.stop(Cancelled())
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

    async def keep(self, data: bytes) -> CapturedOutput:
        """Keep bytes in the spool, as OverflowStore says."""
        return await keep(data, self._context.spool)

    async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
        """Run the command to its end, as TaskExecutor says."""
        control = control or TaskControl()
        self._running.add(control)
        try:
            return await self._execute(request, control)
        finally:
            # Also if memory has run out meanwhile: `__aexit__` must not wait for this task for ever.
            self._running.discard(control)
            if self._none_left is not None and not self._running:
                wake(self._none_left, None)

    async def _execute(self, request: TaskRequest, control: TaskControl) -> Execution:
        process = await self._start(request, control)
        if not isinstance(process, Process):
            return Execution(process, NO_OUTPUT, self._clock.monotonic_seconds())
        cancelled = False
        while True:
            try:
                execution = await process.wait()
                break
            except asyncio.CancelledError:
                # Cancellation stops the task but does not end the wait: what was started has to be cleaned up.
                cancelled = True
                control.stop(Cancelled())
            except Exception:
                process.disown()
                raise
        if cancelled:
            execution.output.close()
            await _finish_uncancelled(self._context.spool.wait_discarded())
            raise asyncio.CancelledError
        return execution

    async def _start(self, request: TaskRequest, control: TaskControl) -> Process | Outcome:
        if control.verdict is not None:
            return control.verdict
        excess_arguments = request.command[MANY_ARGUMENTS:]
        if excess_arguments and (too_long := refuse_too_long(request.command)):
            return too_long
        timeout = None if request.timeout_ms is None else request.timeout_ms / 1000
        mark = self._context.containment.new_mark()
        spawned: Spawned | Outcome | None = None
        try:
            # Copying that many arguments takes as long as starting several programs: not on the event loop.
            spawned = None if excess_arguments else self._spawner.spawn(request.command, mark)
            if spawned is None:
                started_from = asyncio.get_running_loop().time()
                launched: Spawned | Outcome | None = None
                try:
                    spawned = launched = await self._launcher.launch(request.command, mark, timeout, control)
                finally:
                    if not isinstance(launched, Spawned):
                        # There may be a process that still waits for `go`: it ends by itself.
                        self._context.containment.expect_orphans()
                if timeout is not None:
                    timeout = max(0.0, timeout - (asyncio.get_running_loop().time() - started_from))
            if not isinstance(spawned, Spawned):
                return spawned
            control.pid = spawned.pid
            if self._oom_score:
                # Before the `go` for a process of the starter; a process that was spawned here may have children.
                raise_oom_score(spawned.pid, self._oom_score)
            process = Process(spawned, timeout, control, self._context)
        except Exception as error:  # noqa: BLE001 -- whatever it is, there may be an untracked process
            return await self._kill_unwatched(spawned if isinstance(spawned, Spawned) else None, mark, error)
        if spawned.start is not None:
            process.run_step(spawned.start.go)
        return process

    async def _kill_unwatched(self, spawned: Spawned | None, mark: int, error: Exception) -> Outcome:
        """Kill a task that cannot be watched, by its mark; its processes are reaped like adopted ones."""
        if spawned is not None:
            os.close(spawned.stdout)
            if spawned.start is not None:
                spawned.start.close()
            self._context.containment.disown(spawned.pid)
        await _finish_uncancelled(self._context.containment.kill(mark))
        return outcome_of_failure(error)


async def _finish_uncancelled(work: Coroutine[None, None, object]) -> None:
    """Await `work` to its end; if this was cancelled meanwhile, raise CancelledError only after that."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
