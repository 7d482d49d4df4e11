"""Waits for the remaining processes of a group whose leader was reaped, then kills them, through pidfds only.

Once the leader is reaped, the number of the group may be reused: a signal to it may reach other processes.
"""

import asyncio
import contextlib
import os

from ..linux.survivors import CLEAN_SCANS
from .containment import RESULT_AFTER_SECONDS, Containment
from .poller import Poller
from .wakeup import wake

CHECK_SECONDS = 0.01
"""Between checks of processes that cannot be watched because no descriptor is available."""


class GroupWait:
    """Waits for the group of one task; `group` is the pid of its leader, which was reaped."""

    __slots__ = ("_cancelled", "_containment", "_group", "_loop", "_mark", "_pidfds", "_poller", "_wakeup")

    def __init__(self, group: int, mark: int, containment: Containment, poller: Poller) -> None:
        self._group = group
        self._mark = mark
        self._containment = containment
        self._poller = poller
        self._loop = asyncio.get_running_loop()
        self._cancelled = False
        self._pidfds: set[int] = set()
        self._wakeup: asyncio.Future[None] | None = None

    async def wait(self, seconds: float) -> None:
        """Return when no member is alive or `cancel` was called; kill the members after `seconds`.

        Processes that do not die are waited for no longer than after a timeout.
        """
        kill_at = self._loop.time() + seconds
        clean = 0
        while not self._cancelled and clean < CLEAN_SCANS:
            now = self._loop.time()
            if now >= kill_at + RESULT_AFTER_SECONDS:
                return
            survivors = self._containment.group(self._group, self._mark, kill=now >= kill_at)
            clean = clean + 1 if survivors.clean else 0
            if survivors.found_alive:
                end = kill_at if now < kill_at else kill_at + RESULT_AFTER_SECONDS
                await self._until_ended(survivors.found_alive, end)

    def cancel(self) -> None:
        """Stop waiting: the caller kills the whole task."""
        self._cancelled = True
        self._wake()

    async def _until_ended(self, pids: list[int], end: float) -> None:
        self._wakeup = self._loop.create_future()
        try:
            with contextlib.suppress(OSError, MemoryError):
                for pid in pids:
                    self._watch(pid)
            if len(self._pidfds) < len(pids):
                end = min(end, self._loop.time() + CHECK_SECONDS)
            timer = self._loop.call_at(end, self._wake)
            await self._wakeup
            timer.cancel()
        finally:
            for pidfd in tuple(self._pidfds):
                self._close(pidfd)

    def _watch(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            self._poller.register(pidfd, lambda: self._on_end(pidfd))
        except (OSError, MemoryError):
            os.close(pidfd)
            raise
        self._pidfds.add(pidfd)

    def _on_end(self, pidfd: int) -> None:
        self._close(pidfd)
        if not self._pidfds:
            self._wake()

    def _close(self, pidfd: int) -> None:
        self._pidfds.discard(pidfd)
        try:
            self._poller.unregister(pidfd)
        finally:
            os.close(pidfd)

    def _wake(self) -> None:
        if self._wakeup is not None:
            try:
                wake(self._wakeup, None)
            except MemoryError:
                wake(self._wakeup, None)  # no other timer may be set
