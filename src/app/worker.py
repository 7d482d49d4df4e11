"""One forked process that serves: how it is started, told what to do, and let go of."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from .stop_signals import STOP_SIGNALS

STOP, HURRY = b"s", b"h"
"""Orders: stop, and kill what still runs."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What the supervisor holds of a worker."""

    pid: int
    pidfd: int
    orders: int
    """The writing end of a pipe."""
    ready: int
    """The reading end of a pipe: a byte comes when the worker accepts, end-of-file when it ends."""
    started_at: float
    """Monotonic seconds."""

    def tell(self, order: bytes) -> None:
        """Give an order; one that has just died does not mind."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.orders, order)

    def kill(self) -> None:
        """Send SIGKILL, which is safe until it has been reaped."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Hold nothing of it any more. In a sibling: not to keep it from seeing the supervisor's end."""
        for descriptor in (self.pidfd, self.orders, self.ready):
            os.close(descriptor)


def start_worker(work: Callable[[int, int], int], let_go: Callable[[], None]) -> Worker:
    """Fork; the new process calls `let_go` to close what is the supervisor's, then `work`, and exits with its result.

    STOP_SIGNALS are blocked until `let_go` has returned. Raises OSError, leaving nothing behind.
    """
    with contextlib.ExitStack() as undo:
        orders, give = _pipe(undo)
        ready, tell = _pipe(undo)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                undo.pop_all()
                os.close(give)
                os.close(ready)
                let_go()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        if pid == 0:
            sys.exit(work(orders, tell))
        undo.callback(_undo_fork, pid)
        pidfd = os.pidfd_open(pid)
        undo.pop_all()
    os.close(orders)
    os.close(tell)
    return Worker(pid, pidfd, give, ready, time.monotonic())


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _undo_fork(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
