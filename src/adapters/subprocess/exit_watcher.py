"""Reports when the first processes of tasks have ended, with a pidfd only for those that live long enough."""

import asyncio
import os
import time
from collections.abc import Callable

import structlog

from .child_process import ChildProcess
from .poller import Poller

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

PIDFD_AFTER_SECONDS = 0.01
YIELD_SECONDS = 1e-6
"""Given to children that have closed their stdout. exit(2) closes files before it makes a zombie, and the agent, woken
by that, takes the processor from the exiting process. More checks or sched_yield(2) do not help (1 of 100 is seen); the
shortest sleep, 60 us with the kernel's timer slack, does (99 of 100)."""
TRACED_PAUSE_SECONDS = 0.05
"""Between checks of a child that is dead but held by its tracer, ptrace(2): its pidfd is readable all the time."""


class ExitWatcher:
    """Reports the end of children, with a pidfd (pidfd_open(2)) for each that gets old enough to need one.

    Most tasks end within milliseconds, and the end-of-file of their stdout shows it: opening, watching and closing a
    pidfd for those too costs a tenth of the agent's time for a task.
    """

    def __init__(self, poller: Poller) -> None:
        """Watch pidfds through `poller`."""
        self._poller = poller
        self._loop = asyncio.get_running_loop()
        self._young: list[ChildProcess] = []
        self._older: list[ChildProcess] = []
        # Checked in the next event-loop iteration, before they get a pidfd.
        self._to_check_now: list[ChildProcess] = []
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, child: ChildProcess, callback: Callable[[], None]) -> None:
        """Call back once when the child has ended, PIDFD_AFTER_SECONDS late at most, unless `unwatch` comes first."""
        child.on_exit = callback
        self._young.append(child)
        if self._timer is None:
            self._set_timer()

    def unwatch(self, child: ChildProcess) -> None:
        """Call back no more; for a child without a pidfd, it is enough to clear `on_exit`."""
        child.on_exit = None
        if child.pidfd >= 0:
            self._close_pidfd(child)

    def watch_now(self, child: ChildProcess) -> None:
        """Call back as soon as the child ends: it has closed its stdout, so most often that is now.

        Where it takes longer, and no descriptor is available, it is the next tick.
        """
        if not self._to_check_now:
            self._loop.call_soon(self._check_now)
        self._to_check_now.append(child)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _check_now(self) -> None:
        time.sleep(YIELD_SECONDS)
        children, self._to_check_now = self._to_check_now, []
        for child in children:
            self._check_and_watch(child)

    def _open_pidfd(self, child: ChildProcess) -> None:
        if child.pidfd >= 0 or child.on_exit is None:
            return
        try:
            pidfd = os.pidfd_open(child.pid)
        except OSError:
            self._older.append(child)
            return
        try:
            self._poller.register(pidfd, lambda: self._on_pidfd(child))
            child.pidfd = pidfd
        except (OSError, MemoryError):
            os.close(pidfd)
            self._older.append(child)

    def _tick(self) -> None:
        # Cleared first: whatever fails here, the next child that is watched sets the timer again.
        self._timer = None
        children, self._older, self._young = self._older, self._young, []
        for child in children:
            if child.on_exit is not None:
                self._check_and_watch(child)
        try:
            self._set_timer()
        except MemoryError:
            # Without a timer, the children that are watched now might never be checked again.
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and (self._older or self._young):
            self._timer = self._loop.call_later(PIDFD_AFTER_SECONDS / 2, self._tick)

    def _check_and_watch(self, child: ChildProcess) -> None:
        try:
            self._check(child)
            self._open_pidfd(child)
        except Exception as error:  # noqa: BLE001 -- other children, and this one, are still checked later
            self._older.append(child)
            _log.warning("cannot find out whether a command has ended; trying again", pid=child.pid, reason=repr(error))

    def _check(self, child: ChildProcess) -> None:
        callback = child.on_exit
        if callback is not None and child.has_ended():
            try:
                self.unwatch(child)
                callback()
            except Exception:
                # The callback has not taken note of the end: check the child again.
                child.on_exit = callback
                self._older.append(child)
                self._set_timer()
                raise

    def _on_pidfd(self, child: ChildProcess) -> None:
        self._check(child)
        if child.pidfd >= 0:
            self._close_pidfd(child)
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._check_traced, child)

    def _check_traced(self, child: ChildProcess) -> None:
        self._check(child)
        if child.on_exit is not None:
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._check_traced, child)

    def _close_pidfd(self, child: ChildProcess) -> None:
        pidfd, child.pidfd = child.pidfd, -1
        try:
            self._poller.unregister(pidfd)
        finally:
            os.close(pidfd)
