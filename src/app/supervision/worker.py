"""One forked process that serves: how it is started, told what to do, and let go of."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import structlog

from ..control_pipe import FAILED, READY
from ..stop_signals import CAUGHT_SIGNALS

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """What the supervisor holds of a worker."""

    pid: int
    pidfd: int
    control: int
    """The writing end of a pipe."""
    ready: int
    """The reading end of a pipe, not blocking: READY comes when the worker accepts, or the reason why it cannot."""
    started_at: float
    """Monotonic seconds."""
    accepts: bool = False
    failure: str = ""
    """Why it cannot accept, if it has said so."""
    killed: bool = False
    row: int = 0
    """Its own of the scoreboard."""
    marks: int = 0
    """Where its range of them begins."""

    def read_ready(self) -> None:
        """Take what it says of its start, once there is something."""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self.ready, select.PIPE_BUF)
            self.accepts = self.accepts or said.startswith(READY)
            self.failure = self.failure or ("" if self.accepts else said.decode("utf-8", "replace"))

    def send(self, order: bytes) -> None:
        """Give an order; one that has just died does not mind."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.control, order)

    def kill(self) -> None:
        """Send SIGKILL, which is safe until it has been reaped."""
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Hold nothing of it any more. In a sibling: not to keep it from seeing the supervisor's end."""
        for descriptor in (self.pidfd, self.control, self.ready):
            os.close(descriptor)


def fork_worker(work: Callable[[int, int], int], after_fork: Callable[[], None]) -> Worker:
    """Fork; the child calls `after_fork`, to close what is the supervisor's, then `work`, and exits with its result.

    CAUGHT_SIGNALS are blocked until `after_fork` has returned. Raises OSError, leaving nothing behind; in the child
    it neither returns nor raises.
    """
    with contextlib.ExitStack() as undo:
        orders, give = _pipe(undo)
        ready, tell = _pipe(undo)
        os.set_blocking(ready, False)
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                undo.pop_all()
                _be_worker(lambda: work(orders, tell), after_fork, (give, ready))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
        undo.callback(_undo_fork, pid)
        pidfd = os.pidfd_open(pid)
        undo.pop_all()
    os.close(orders)
    os.close(tell)
    return Worker(pid, pidfd, give, ready, time.monotonic())


def _be_worker(work: Callable[[], int], after_fork: Callable[[], None], not_ours: tuple[int, ...]) -> NoReturn:
    # os._exit, not sys.exit: what stands on the stack below is the supervisor's, with handlers and cleanups of its own.
    status = FAILED
    try:
        for descriptor in not_ours:
            os.close(descriptor)
        after_fork()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
        status = work()
    except BaseException:  # noqa: BLE001 -- whatever it is, it ends here
        _log.exception("a worker failed")
    finally:
        # A thread that is stuck does not hold this up.
        os._exit(status)


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _undo_fork(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
