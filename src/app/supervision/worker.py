"""A worker process: forking it, sending it control commands, killing it, and closing its descriptors."""

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
    """The state of a worker in the supervisor."""

    pid: int
    pidfd: int
    control: int
    """The write end of the control pipe."""
    ready: int
    """The read end of a pipe, non-blocking: READY when the worker accepts connections, or the reason why it cannot."""
    started_at: float
    """Monotonic seconds."""
    accepts: bool = False
    failure: str = ""
    """Why it cannot accept connections, if it has sent a reason."""
    killed: bool = False
    row: int = 0
    """Its row of the scoreboard."""
    marks: int = 0
    """The start of its range of marks."""

    def read_ready(self) -> None:
        """Read the message about its start, if one has arrived."""
        with contextlib.suppress(BlockingIOError):
            message = os.read(self.ready, select.PIPE_BUF)
            self.accepts = self.accepts or message.startswith(READY)
            self.failure = self.failure or ("" if self.accepts else message.decode("utf-8", "replace"))

    def send(self, command: bytes) -> None:
        """Send a control command; does nothing if the worker has just died."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.control, command)

    def kill(self) -> None:
        """Send SIGKILL; safe as long as the worker has not been reaped, since its pid cannot be reused before."""
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close its descriptors. A sibling must do so too, or this worker would not see the supervisor's death."""
        for descriptor in (self.pidfd, self.control, self.ready):
            os.close(descriptor)


def fork_worker(work: Callable[[int, int], int], after_fork: Callable[[], None]) -> Worker:
    """Fork a process that calls `after_fork`, to close descriptors of the supervisor, then exits with `work`'s result.

    CAUGHT_SIGNALS are blocked until `after_fork` has returned. On OSError no process or descriptor remains. In the
    child it neither returns nor raises.
    """
    with contextlib.ExitStack() as undo:
        control_read, control_write = _pipe(undo)
        ready_read, ready_write = _pipe(undo)
        os.set_blocking(ready_read, False)
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                undo.pop_all()
                _run_worker(lambda: work(control_read, ready_write), after_fork, (control_write, ready_read))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
        undo.callback(_undo_fork, pid)
        pidfd = os.pidfd_open(pid)
        undo.pop_all()
    os.close(control_read)
    os.close(ready_write)
    return Worker(pid, pidfd, control_write, ready_read, time.monotonic())


def _run_worker(work: Callable[[], int], after_fork: Callable[[], None], parents: tuple[int, ...]) -> NoReturn:
    # os._exit, not sys.exit: the frames below are the supervisor's, whose handlers and cleanups must not run here.
    status = FAILED
    try:
        for descriptor in parents:
            os.close(descriptor)
        after_fork()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
        status = work()
    except BaseException:  # noqa: BLE001 -- no exception may reach the supervisor's frames
        _log.exception("a worker failed")
    finally:
        # Unlike sys.exit, does not wait for a blocked thread.
        os._exit(status)


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _undo_fork(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
