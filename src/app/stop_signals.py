"""Which signals the agent handles and how: they are read from a pipe, since a handler that logs could deadlock.

Signals that are not named here are caught and logged, so that no signal that can be caught terminates a process of the
agent and leaves its tasks running. A signal that was ignored at the start stays ignored.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Generator

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
REPEATABLE_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
"""A second one, REPEAT_AFTER_SECONDS after the first stop signal or later, kills running tasks."""
KILL_SIGNAL = signal.SIGQUIT
"""Kills running tasks, at any time."""
REPEAT_AFTER_SECONDS = 0.5
"""One event often sends two signals: a terminal that closes, or timeout(1) to a process and then to its group."""
IGNORED_SIGNALS = frozenset({signal.SIGPIPE, signal.SIGTTOU, signal.SIGXCPU, signal.SIGXFSZ})
"""SIGTTOU: otherwise a background process could not write its log to a terminal with `stty tostop`."""
_FAULTS = frozenset(
    {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
)
"""A process cannot continue after such a fault. Its tasks are killed by the supervisor, or, if the supervisor dies, by
the workers."""
_DEFAULT_IS_RIGHT = frozenset(
    {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP, signal.SIGTTIN}
)
"""By default they do nothing, continue a process, or suspend it for job control."""
UNUSED_SIGNALS = tuple(
    sorted(
        set(signal.valid_signals())
        - {*STOP_SIGNALS, KILL_SIGNAL, signal.SIGKILL, signal.SIGSTOP}
        - IGNORED_SIGNALS
        - _FAULTS
        - _DEFAULT_IS_RIGHT
    )
)
"""The agent does not use them, and by default they terminate a process: SIGUSR1, SIGALRM, real-time signals, etc."""
CAUGHT_SIGNALS = (*STOP_SIGNALS, KILL_SIGNAL, *UNUSED_SIGNALS)
CHILD_SIGNAL = signal.SIGCHLD
"""A child has ended. The parent may have left it ignored; then the kernel would reap children at once (wait(2))."""
_READ_BYTES = 4096


def prepare_signals() -> None:
    """Ignore IGNORED_SIGNALS in this process and those that it forks; let Ctrl-C terminate it without a traceback."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Nothing is open yet that would have to be closed; a KeyboardInterrupt would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class StopSignals:
    """Collects CAUGHT_SIGNALS and CHILD_SIGNAL in a pipe; `descriptor` is readable while there are any."""

    def __init__(self) -> None:
        """Open the pipe and register it for signals (signal.set_wakeup_fd)."""
        self.descriptor, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in (*_handled(), CHILD_SIGNAL):
            signal.signal(number, _do_nothing)

    def read(self) -> list[int]:
        """Return the numbers of the signals that have arrived, oldest first."""
        return list(os.read(self.descriptor, _READ_BYTES))

    def ignore(self) -> None:
        """In a forked process, ignore stop signals, which the parent handles.

        CAUGHT_SIGNALS must be blocked since before the fork. UNUSED_SIGNALS stay caught, so that they do not terminate
        the process.
        """
        signal.set_wakeup_fd(-1)
        for number in (*STOP_SIGNALS, KILL_SIGNAL):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(CHILD_SIGNAL, signal.SIG_DFL)
        os.close(self.descriptor)
        os.close(self._writing)


@contextlib.contextmanager
def unused_signals_reported(report: Callable[[int], object]) -> Generator[None, None, None]:
    """Within the block, the event loop calls `report` with the number of each of UNUSED_SIGNALS that arrives."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _handled() if number in UNUSED_SIGNALS}
    for number in before:
        signal.signal(number, lambda number, _frame: loop.call_soon_threadsafe(report, number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handled() -> list[int]:
    return [number for number in CAUGHT_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _do_nothing(_number: int, _frame: object) -> None:
    return
