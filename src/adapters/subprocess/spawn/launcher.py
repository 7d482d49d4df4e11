"""Starts a command that is not known to start quickly: through the starter, until there is a process."""

import asyncio
import errno
import os

from ....domain.control import TaskControl
from ....domain.outcome import NotStarted, Outcome, TimedOut
from .posix import Spawned, Spawner
from .start_failure import cannot_start
from .starter import Starter

MAX_WAIT_SECONDS = 30 * 365 * 24 * 3600.0


class Launcher:
    """Starts commands off the event loop: a slow start delays neither other tasks nor the command's own deadline."""

    def __init__(self, spawner: Spawner, starter: Starter) -> None:
        """Use `starter` for commands that `spawner` does not start on the event loop."""
        self._spawner = spawner
        self._starter = starter

    async def launch(
        self, command: tuple[str, ...], mark: int, seconds: float | None, control: TaskControl
    ) -> Spawned | Outcome:
        """Start `command`; the caller owns the returned process and must call `start.go`, if `start` is set.

        `seconds` is its timeout. If that expires, or `control` is stopped, before there is a process, none is started.
        """
        starting = asyncio.ensure_future(self._start(command, mark))
        control.on_stop = lambda _: starting.cancel()
        try:
            await asyncio.wait({starting}, timeout=None if seconds is None else min(seconds, MAX_WAIT_SECONDS))
            if starting.done() and control.verdict is None:
                return starting.result()
            await _abort(starting)
        except BaseException:
            await _abort(starting)
            raise
        finally:
            control.on_stop = None
        return control.verdict or TimedOut()

    async def _start(self, command: tuple[str, ...], mark: int) -> Spawned | NotStarted:
        name = command[0]
        try:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            try:
                order, learn = self._spawner.order(command, mark), self._spawner.learner(name)
                start = await self._starter.start(order, writing, learn)
            except BaseException:
                os.close(reading)
                raise
            finally:
                os.close(writing)
        except OSError as error:
            return NotStarted(cannot_start(name.encode(), error.strerror or str(error)))
        try:
            pid = start.process.result()
        except BaseException:
            os.close(reading)
            start.close()
            raise
        if pid is None:
            os.close(reading)
            return start.failure or NotStarted(cannot_start(name.encode(), os.strerror(errno.EAGAIN)))
        return Spawned(pid, reading, mark, start)


async def _abort(starting: asyncio.Task[Spawned | NotStarted]) -> None:
    """Abort a start: its process, if there is one, still waits for `go` and ends."""
    starting.cancel()
    while not starting.done():
        await asyncio.wait({starting})
    if starting.cancelled():
        return
    spawned = starting.result()
    if isinstance(spawned, Spawned):
        os.close(spawned.stdout)
        if spawned.start is not None:
            spawned.start.close()
