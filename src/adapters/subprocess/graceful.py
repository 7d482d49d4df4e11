"""The time that a task is given to end: SIGTERM to its group, then looks whether the group has ended, up to a limit."""

import asyncio
import signal
from collections.abc import Callable

from .containment import Containment
from .leader import Leader

GROUP_CHECK_SECONDS = 0.01
"""Between looks at a group whose leader has ended."""


class GracefulStop:
    """Asks a group to end; calls `on_over` when nobody of it is alive any more or its grace is over, once or more."""

    __slots__ = ("_check", "_containment", "_leader", "_loop", "_mark", "_on_over", "_over")

    def __init__(
        self, leader: Leader, mark: int, grace: float, containment: Containment, on_over: Callable[[], None]
    ) -> None:
        """Send SIGTERM; `grace` is seconds."""
        self._leader = leader
        self._mark = mark
        self._containment = containment
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.call_later(grace, on_over)
        self._check: asyncio.TimerHandle | None = None
        leader.signal_group(signal.SIGTERM)

    def shorten(self, grace: float) -> None:
        """Let the grace be over in so many seconds, unless it is over before that."""
        over = self._loop.time() + grace
        if over < self._over.when():
            self._over.cancel()
            self._over = self._loop.call_at(over, self._on_over)

    def leader_has_ended(self) -> None:
        """Look, now and from time to time, whether others of its group live; it must not be reaped before `cancel`."""
        if self._check is not None:
            self._check.cancel()
        if self._containment.group(self._leader.pid, self._mark, kill=False).alive:
            self._check = self._loop.call_later(GROUP_CHECK_SECONDS, self.leader_has_ended)
        else:
            self._on_over()

    def cancel(self) -> None:
        """Call back no more."""
        self._over.cancel()
        if self._check is not None:
            self._check.cancel()
