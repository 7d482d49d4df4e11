"""A second mark, where the first has been put back (by PAM, say): the timer slack, which nothing resets by itself.

It is inherited through fork and exec, by root's processes and others' alike (PR_SET_TIMERSLACK of prctl(2)). That of
another process can be read with CAP_SYS_NICE only; an agent without it could not kill most of what PAM has given to
another user anyway.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

NUMBERS = 2**15
"""Tasks get their own number of nanoseconds more than the agent has itself, less than this: 33 us at most."""
DEFAULT_NANOSECONDS = 50_000
_PR_GET_TIMERSLACK = 30
_CAP_SYS_NICE = 23


class TimerSlack:
    """Reads that mark; a number of 0 is none. Setting it is one call, of `prctl` with OPTION."""

    OPTION = 29
    """PR_SET_TIMERSLACK; what is started by this thread has it from then on."""
    NUMBERS = NUMBERS

    def __init__(self, own: int) -> None:
        """Count from `own`, the nanoseconds of this process itself."""
        self.own = own
        prctl = ctypes.CDLL(None).prctl
        prctl.argtypes = (ctypes.c_int, ctypes.c_ulong)
        self.prctl: Callable[[int, int], int] = prctl

    def number(self, pid: int) -> int:
        """Return the number that a process carries; 0 if none, or if it is not shown, as of real-time processes."""
        try:
            descriptor = os.open(f"/proc/{pid}/timerslack_ns", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return 0
        try:
            number = int(os.read(descriptor, 32)) - self.own
        except (ProcessLookupError, PermissionError):
            return 0
        finally:
            os.close(descriptor)
        return number if 0 < number < NUMBERS else 0


def timer_slack() -> TimerSlack | None:
    """Return the second mark of this process's tasks; None where it could not be read, or is another agent's.

    An agent that is itself a task of another has that one's number, and leaves it to its tasks, so that the outer agent
    finds them.
    """
    own = _own()
    nested = DEFAULT_NANOSECONDS < own < DEFAULT_NANOSECONDS + NUMBERS
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
