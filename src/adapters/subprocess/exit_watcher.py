"""Tells when the first processes of tasks have ended, with a pidfd only for those that live long enough to need one."""

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
"""Given to leaders that have closed their stdout: exit(2) closes files before it makes a zombie, and whoever is woken
by that keeps the exiting process from the processor for as long as it runs. Neither further looks nor sched_yield(2)
help (1 of 100 is seen); a sleep as short as there is one, 60 us with the kernel's timer slack, does (99 of 100)."""
TRACED_PAUSE_SECONDS = 0.05
"""Between looks at a leader that is dead but held by its tracer, ptrace(2): its pidfd is readable all the time."""


class ExitWatcher:
    """Tells when leaders have ended, with a pidfd (pidfd_open(2)) for each that gets old enough to need one.

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
        # Looked at once more in the next iteration of the loop, before there is a pidfd.
        self._to_check_now: list[Leader] = []
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, leader: Leader, callback: Callable[[], None]) -> None:
        """Call back once when the leader has ended, PIDFD_AFTER_SECONDS late at most, unless it is forgotten before."""
        self._callbacks[leader] = callback
        self._young.append(leader)
        if self._timer is None:
            self._set_timer()

    def unwatch(self, leader: Leader) -> None:
        """Call back no more."""
        self._callbacks.pop(leader, None)
        if leader in self._pidfds:
            self._close_pidfd(leader)

    def watch_now(self, leader: Leader) -> None:
        """Call back the moment the leader ends: it has closed its stdout, so most often that is now.

        Where it takes longer, and no descriptor is to be had, it is the next tick.
        """
        if not self._to_check_now:
            self._loop.call_soon(self._check_now)
        self._to_check_now.append(leader)

    def _check_now(self) -> None:
        time.sleep(YIELD_SECONDS)
        hastened, self._to_check_now = self._to_check_now, []
        for leader in hastened:
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
        # First of all, so that whatever fails here, the next one who is followed has the timer set again.
        self._timer = None
        grown, self._older, self._young = self._older, self._young, []
        for leader in grown:
            self._check_and_watch(leader)
        try:
            self._set_timer()
        except MemoryError:
            # Without it, nobody who is followed now might ever be looked at again.
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and (self._older or self._young):
            self._timer = self._loop.call_later(PIDFD_AFTER_SECONDS / 2, self._tick)

    def _check_and_watch(self, leader: Leader) -> None:
        try:
            self._check(leader)
            self._open_pidfd(leader)
        except Exception as error:  # noqa: BLE001 -- it costs neither the others nor this one the word of its end
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
                # It has not been told yet, and is looked at again.
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
