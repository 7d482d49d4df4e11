"""Graceful stop of a task: SIGTERM to its group, then checks whether the group has ended, until the grace is over."""

import asyncio
import signal
from collections.abc import Callable

from .child_process import ChildProcess
from .containment import Containment

GROUP_CHECK_SECONDS = 0.01
"""Between checks of a group whose leader has ended."""


class GracefulStop:
    """Sends SIGTERM to a group; calls `on_over`, once or more, when no member is alive or the grace is over."""

    __slots__ = ("_check", "_containment", "_leader", "_loop", "_mark", "_on_over", "_over")

    def __init__(
        self, leader: ChildProcess, mark: int, grace: float, containment: Containment, on_over: Callable[[], None]
    ) -> None:
        """Send SIGTERM; `grace` is in seconds."""
        self._leader = leader
        self._mark = mark
        self._containment = containment
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.call_later(grace, on_over)
        self._check: asyncio.TimerHandle | None = None
        leader.signal_group(signal.SIGTERM)

    def shorten(self, grace: float) -> None:
        """End the grace in `grace` seconds, unless it ends earlier."""
        over = self._loop.time() + grace
        if over < self._over.when():
            self._over.cancel()
            self._over = self._loop.call_at(over, self._on_over)

    def leader_has_ended(self) -> None:
        """Check repeatedly whether other group members live; the leader must not be reaped before `cancel`."""
        if self._check is not None:
            self._check.cancel()
        if self._containment.group(self._leader.pid, self._mark, kill=False).found_alive:
            self._check = self._loop.call_later(GROUP_CHECK_SECONDS, self.leader_has_ended)
        else:
            self._on_over()

    def cancel(self) -> None:
        """Cancel the callback and the checks."""
        self._over.cancel()
        if self._check is not None:
            self._check.cancel()
