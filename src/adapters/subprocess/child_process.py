"""The first process of a task: whether it has ended, signals to its group, and reaping it, in the only safe order."""

import os
from collections.abc import Callable

from ...domain.ports.clock import Clock


class ChildProcess:
    """A child of this process that leads a process group.

    From its end until `reap` it is a zombie: its pid and its process group id cannot be reused, so the group may be
    signalled. After `reap`, both may belong to other processes.
    """

    # What most tasks never change stays in the class: it costs them nothing.
    ended_at: float | None = None
    """Monotonic seconds at which it was seen to have ended."""
    reaped = False
    is_lost = False
    """Something else has reaped it: its exit status is unknown, and its pid may belong to another process."""
    exit_code = 0
    on_exit: Callable[[], None] | None = None
    """Set by the ExitWatcher; cleared by it, or by the owner (see ExitWatcher.unwatch)."""
    pidfd = -1
    """Of the ExitWatcher only; -1 while there is none."""

    def __init__(self, pid: int, clock: Clock) -> None:
        """Take charge of a child that nothing else waits for."""
        self.pid = pid
        self.clock = clock

    def has_ended(self) -> bool:
        """Return whether it has ended, without reaping it; once true, always true."""
        if self.ended_at is None:
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:
                ended = self.is_lost = True
            self.ended_at = self.clock.monotonic_seconds() if ended else None
        return self.ended_at is not None

    def signal_group(self, signal_number: int) -> None:
        """Send a signal to the process group, unless the child has been reaped."""
        if not (self.reaped or self.is_lost):
            try:
                os.killpg(self.pid, signal_number)
            except (ProcessLookupError, PermissionError):
                return  # the group is empty, or all its members run as other users, such as sudo(8)

    def reap(self) -> None:
        """Reap the zombie: `exit_code` is as subprocess has it, -n after signal n."""
        status = 0 if self.is_lost else os.waitpid(self.pid, 0)[1]
        self.reaped = True
        self.exit_code = os.waitstatus_to_exitcode(status) if status else 0

    def group_is_gone(self) -> bool:
        """Return whether certainly no process is in the group, after `reap`; False means that this is not known."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
