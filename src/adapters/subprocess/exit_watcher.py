"""Reports the exit of leaders, the first processes of tasks; opens a pidfd only for those that live longer."""

import asyncio
import os
import time
from collections.abc import Callable

import structlog

from .leader import Leader
from .poller import Poller

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

PIDFD_AFTER_SECONDS = 0.01
YIELD_SECONDS = 1e-6
"""Sleep before a leader that has closed its stdout is checked: exit(2) closes files before it makes a zombie, and the
process that this wakes keeps the exiting process from the processor for as long as it runs. Neither repeated checks nor
sched_yield(2) help (1 of 100 is seen); the shortest sleep, 60 us with the kernel's timer slack, does (99 of 100)."""
TRACED_PAUSE_SECONDS = 0.05
"""Between checks of a leader that is dead but held by its tracer, ptrace(2): its pidfd is readable all the time."""


class ExitWatcher:
    """Reports when leaders have ended; opens a pidfd (pidfd_open(2)) for each that lives long enough to need one.

    Most tasks end within milliseconds, and the end-of-file of their stdout shows it: opening, watching and closing a
    pidfd for those too costs a tenth of the agent's time for a task.
    """

    def __init__(self, poller: Poller) -> None:
        """Watch pidfds through `poller`."""
        self._poller = poller
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[Leader, Callable[[], None]] = {}
        self._pidfds: dict[Leader, int] = {}
        self._young: list[Leader] = []
        self._older: list[Leader] = []
        # Checked in the next event-loop iteration, before a pidfd is opened.
        self._to_check_now: list[Leader] = []
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, leader: Leader, callback: Callable[[], None]) -> None:
        """Call back once when the leader has ended, at most PIDFD_AFTER_SECONDS late, unless it is unwatched before."""
        self._callbacks[leader] = callback
        self._young.append(leader)
        if self._timer is None:
            self._set_timer()

    def unwatch(self, leader: Leader) -> None:
        """Cancel the callback."""
        self._callbacks.pop(leader, None)
        if leader in self._pidfds:
            self._close_pidfd(leader)

    def watch_now(self, leader: Leader) -> None:
        """Call back as soon as the leader ends: it has closed its stdout, so most often it is ending now.

        If it takes longer and no descriptor is available, the next tick checks it.
        """
        if not self._to_check_now:
            self._loop.call_soon(self._check_now)
        self._to_check_now.append(leader)

    def _check_now(self) -> None:
        time.sleep(YIELD_SECONDS)
        leaders, self._to_check_now = self._to_check_now, []
        for leader in leaders:
            self._check_and_watch(leader)

    def _open_pidfd(self, leader: Leader) -> None:
        if leader in self._pidfds or leader not in self._callbacks:
            return
        try:
            pidfd = os.pidfd_open(leader.pid)
        except OSError:
            self._older.append(leader)
            return
        try:
            self._poller.register(pidfd, lambda: self._on_pidfd(leader))
            self._pidfds[leader] = pidfd
        except (OSError, MemoryError):
            os.close(pidfd)
            self._older.append(leader)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        # First, so that the next `watch` sets the timer again even if something fails here.
        self._timer = None
        leaders, self._older, self._young = self._older, self._young, []
        for leader in leaders:
            self._check_and_watch(leader)
        try:
            self._set_timer()
        except MemoryError:
            # Without the timer, the leaders that are watched now might never be checked again.
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and (self._older or self._young):
            self._timer = self._loop.call_later(PIDFD_AFTER_SECONDS / 2, self._tick)

    def _check_and_watch(self, leader: Leader) -> None:
        try:
            self._check(leader)
            self._open_pidfd(leader)
        except Exception as error:  # noqa: BLE001 -- neither this leader nor the others may lose their callbacks
            self._older.append(leader)
            _log.warning(
                "cannot find out whether a command has ended; trying again", pid=leader.pid, reason=repr(error)
            )

    def _check(self, leader: Leader) -> None:
        callback = self._callbacks.get(leader)
        if callback is not None and leader.has_ended():
            try:
                self.unwatch(leader)
                callback()
            except Exception:
                # The callback has not been completed: check and call again.
                self._callbacks[leader] = callback
                self._older.append(leader)
                self._set_timer()
                raise

    def _on_pidfd(self, leader: Leader) -> None:
        self._check(leader)
        if leader in self._pidfds:
            self._close_pidfd(leader)
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._check_traced, leader)

    def _check_traced(self, leader: Leader) -> None:
        self._check(leader)
        if leader in self._callbacks:
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._check_traced, leader)

    def _close_pidfd(self, leader: Leader) -> None:
        pidfd = self._pidfds.pop(leader)
        try:
            self._poller.unregister(pidfd)
        finally:
            os.close(pidfd)
