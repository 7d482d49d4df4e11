"""Starts the process of a task, on the event loop where that is known to be quick, else through the starter."""

import asyncio
import os
from collections.abc import Coroutine
from typing import TypeAlias

from ...domain.control import TaskControl
from ...domain.outcome import Outcome
from ...domain.task import TaskRequest
from .context import ProcessContext
from .oom_score import raise_oom_score
from .outcomes import outcome_of_failure
from .process import Process
from .spawn.arguments import MANY_ARGUMENTS, refuse_too_long
from .spawn.launcher import Launcher
from .spawn.posix import Spawned, Spawner
from .uncancelled import finish_uncancelled

Started: TypeAlias = Process | Outcome
"""A running process, or why there is none."""


class ProcessStarter:
    """Starts processes with what all of them share."""

    def __init__(self, spawner: Spawner, launcher: Launcher, context: ProcessContext, oom_score: int) -> None:
        """Add `oom_score` to the oom_score_adj of tasks, unless it is 0."""
        self._spawner = spawner
        self._launcher = launcher
        self._context = context
        self._oom_score = oom_score

    def start(self, request: TaskRequest, control: TaskControl) -> Started | Coroutine[None, None, Started]:
        """Start a task, or return a coroutine that does, where it takes more than a moment."""
        if control.verdict is not None:
            return control.verdict
        many = request.command[MANY_ARGUMENTS:]
        if many and (too_long := refuse_too_long(request.command)):
            return too_long
        timeout = None if request.timeout_ms is None else request.timeout_ms / 1000
        mark = self._context.containment.new_mark()
        spawned = None
        try:
            # Copying so many arguments takes as long as starting several programs: not on the event loop.
            spawned = None if many else self._spawner.spawn(request.command, mark)
            if spawned is None:
                return self._launch(request, control, timeout, mark)
            if type(spawned) is not Spawned:
                return spawned
            control.pid = spawned.pid
            if self._oom_score:
                raise_oom_score(spawned.pid, self._oom_score)
            return Process(spawned, timeout, control, self._context)
        except Exception as error:  # noqa: BLE001 -- whatever it is, there may be a process that nothing watches
            return self._kill_unwatched(spawned if isinstance(spawned, Spawned) else None, mark, error)

    async def _launch(self, request: TaskRequest, control: TaskControl, seconds: float | None, mark: int) -> Started:
        spawned: Spawned | None = None
        loop = asyncio.get_running_loop()
        try:
            began = loop.time()
            launched = await self._launch_or_expect_adopted(request, control, seconds, mark)
            if not isinstance(launched, Spawned):
                return launched
            spawned = launched
            if seconds is not None:
                seconds = max(0.0, seconds - (loop.time() - began))
            control.pid = spawned.pid
            if self._oom_score:
                # Before the process is let go: of one that was spawned directly, there may be children already.
                raise_oom_score(spawned.pid, self._oom_score)
            process = Process(spawned, seconds, control, self._context)
        except Exception as error:  # noqa: BLE001 -- as above
            return await self._kill_unwatched(spawned, mark, error)
        if spawned.start is not None:
            process.run_step(spawned.start.go)
        return process

    async def _launch_or_expect_adopted(
        self, request: TaskRequest, control: TaskControl, seconds: float | None, mark: int
    ) -> Spawned | Outcome:
        # Where nothing is launched, there may be a process that has not been told to go on: it ends by itself.
        try:
            launched = await self._launcher.launch(request.command, mark, seconds, control)
        except BaseException:
            self._context.containment.expect_adopted()
            raise
        if not isinstance(launched, Spawned):
            self._context.containment.expect_adopted()
        return launched

    async def _kill_unwatched(self, spawned: Spawned | None, mark: int, error: Exception) -> Outcome:
        """Kill what has the mark of a task that cannot be watched; its child is reaped like an adopted one."""
        if spawned is not None:
            os.close(spawned.stdout)
            if spawned.start is not None:
                spawned.start.close()
            self._context.containment.disown(spawned.pid)
        await finish_uncancelled(self._context.containment.kill(mark))
        return outcome_of_failure(error)
