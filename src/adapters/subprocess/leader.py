"""The first process of a task: checks its exit, signals its group and reaps it, in the only safe order."""

import os

import structlog

from ...domain.ports.clock import Clock

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Leader:
    """A child of the agent that leads a process group.

    From its end to `reap` it is a zombie, so the numbers of its pid and its group are not reused and may be signalled.
    Afterwards other processes may have them.
    """

    __slots__ = ("_clock", "ended_at", "exit_code", "is_lost", "pid", "reaped")

    def __init__(self, pid: int, clock: Clock) -> None:
        """Own a child that no other code reaps."""
        self.pid = pid
        self._clock = clock
        # Monotonic seconds at which it was seen to have ended.
        self.ended_at: float | None = None
        self.reaped = False
        # Other code has reaped it: its exit status is unknown, and its pid may be reused.
        self.is_lost = False
        self.exit_code = 0

    def has_ended(self) -> bool:
        """Check without reaping whether it has ended; once true, always true."""
        if self.ended_at is None:
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:
                ended = self.is_lost = True
            self.ended_at = self._clock.monotonic_seconds() if ended else None
        return self.ended_at is not None

    def signal_group(self, number: int) -> None:
        """Send a signal to the group, unless the leader has been reaped: then the number may be reused."""
        if not (self.reaped or self.is_lost):
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return  # no member is left, or every member runs as another user, such as sudo(8)

    def reap(self) -> None:
        """Reap the zombie and set `exit_code` as subprocess does: -n after signal n."""
        status = 0 if self.is_lost else os.waitpid(self.pid, 0)[1]
        self.reaped = True
        self.exit_code = os.waitstatus_to_exitcode(status)

    def group_is_gone(self) -> bool:
        """Return True if no process group has its pid any more, after it was reaped; False proves nothing."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
