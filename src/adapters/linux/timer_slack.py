"""The second mark, for processes whose first one was reset (by PAM, for example): the timer slack.

It is inherited through fork and exec, by processes of root and of other users alike (PR_SET_TIMERSLACK of prctl(2)),
and nothing resets it automatically. Reading that of another process needs CAP_SYS_NICE; an agent without it could not
kill most processes that PAM has switched to another user anyway.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

SECOND_MARKS = 2**15
"""All second marks are below this. A task's timer slack is the worker's plus its second mark, in ns: 33 us at most."""
DEFAULT_NANOSECONDS = 50_000
_PR_GET_TIMERSLACK = 30
_CAP_SYS_NICE = 23


class TimerSlack:
    """Reads the second mark; 0 means none. To set it, call `prctl` with OPTION."""

    OPTION = 29
    """PR_SET_TIMERSLACK; processes that this thread starts inherit it."""
    SECOND_MARKS = SECOND_MARKS

    def __init__(self, own: int) -> None:
        """`own` is the timer slack of this process in nanoseconds, to which second marks are added."""
        self.own = own
        prctl = ctypes.CDLL(None).prctl
        prctl.argtypes = (ctypes.c_int, ctypes.c_ulong)
        self.prctl: Callable[[int, int], int] = prctl

    def second_mark(self, pid: int) -> int:
        """Return the second mark of a process; 0 if it has none, or if it is not shown, as for real-time processes."""
        try:
            descriptor = os.open(f"/proc/{pid}/timerslack_ns", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return 0
        try:
            second_mark = int(os.read(descriptor, 32)) - self.own
        except (ProcessLookupError, PermissionError):
            return 0
        finally:
            os.close(descriptor)
        return second_mark if 0 < second_mark < SECOND_MARKS else 0


def timer_slack() -> TimerSlack | None:
    """Return the second mark for this process's tasks; None if it could not be read, or belongs to another agent.

    An agent that is a task of another agent has a second mark of that one, and its tasks inherit it, so that the outer
    agent finds them.
    """
    own = _own()
    nested = DEFAULT_NANOSECONDS < own < DEFAULT_NANOSECONDS + SECOND_MARKS
    return None if own <= 0 or nested or not _may_read_others() else TimerSlack(own)


def _own() -> int:
    return TimerSlack(0).prctl(_PR_GET_TIMERSLACK, 0)


def _may_read_others() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    effective = int(status.partition("\nCapEff:")[2].split()[0], 16)
    return bool(effective >> _CAP_SYS_NICE & 1)
