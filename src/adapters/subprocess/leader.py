"""The first process of a task: whether it has ended, killing its group, reaping it, in the only safe order."""

import os

import structlog

from ...domain.ports.clock import Clock

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Leader:
    """A child of the agent that leads a process group.

    From its end to `reap` it is a zombie, so its pid and its group are still ours and may be signalled; afterwards
    they may belong to anybody.
    """

    __slots__ = ("_clock", "ended_at", "exit_code", "is_lost", "pid", "reaped")

    def __init__(self, pid: int, clock: Clock) -> None:
        """Take charge of a child that nobody else waits for."""
        self.pid = pid
        self._clock = clock
        # Monotonic seconds at which it was seen to have ended.
        self.ended_at: float | None = None
        self.reaped = False
        # Somebody else has reaped it: how it ended is not known, and its number may be anybody's.
        self.is_lost = False
        self.exit_code = 0

    def has_ended(self) -> bool:
        """Look, without reaping, whether it has ended; once true, always true."""
        if self.ended_at is None:
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:
                ended = self.is_lost = True
            self.ended_at = self._clock.monotonic_seconds() if ended else None
        return self.ended_at is not None

    def signal_group(self, number: int) -> None:
        """Send a signal to the group, unless the leader has been reaped: then the number may be another's."""
        if not (self.reaped or self.is_lost):
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return  # nobody is there, or every member runs as somebody else, such as sudo(8)

    def reap(self) -> None:
        """Collect the zombie: `exit_code` is as subprocess gives it, -n after signal n."""
        status = 0 if self.is_lost else os.waitpid(self.pid, 0)[1]
        self.reaped = True
        self.exit_code = os.waitstatus_to_exitcode(status)

    def group_is_gone(self) -> bool:
        """Return whether surely nobody has its pid for a group, after it was reaped; False means nothing."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
