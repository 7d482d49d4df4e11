"""What signals mean to the agent, as something to read: a handler that did more might wait for a lock for ever.

Every signal has one of these meanings, by a rule: what is not named here is caught and logged, so that none that can be
caught ends a process of the agent and leaves its tasks running. One that was ignored at the start stays ignored.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Generator

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
REPEATABLE_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
"""A second one, HURRY_AFTER_SECONDS after the first stop signal or later, kills what still runs."""
KILL_SIGNAL = signal.SIGQUIT
"""Kills what runs, at any time."""
REPEAT_AFTER_SECONDS = 0.5
"""One event is often two signals: of a terminal that closes, or of timeout(1) to a process and then to its group."""
IGNORED_SIGNALS = frozenset({signal.SIGPIPE, signal.SIGTTOU, signal.SIGXCPU, signal.SIGXFSZ})
"""SIGTTOU: a process in the background may write its log to a terminal with `stty tostop`."""
_FAULTS = frozenset(
    {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
)
"""A process with such a fault cannot go on: supervisor and workers clear up after each other."""
_DEFAULT_IS_RIGHT = frozenset(
    {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP, signal.SIGTTIN}
)
"""They do nothing, or stop a process on purpose (job control)."""
UNUSED_SIGNALS = tuple(
    sorted(
        set(signal.valid_signals())
        - {*STOP_SIGNALS, KILL_SIGNAL, signal.SIGKILL, signal.SIGSTOP}
        - IGNORED_SIGNALS
        - _FAULTS
        - _DEFAULT_IS_RIGHT
    )
)
"""They mean nothing here, and by default would end the process: SIGUSR1, SIGALRM, real-time ones and so on."""
CAUGHT_SIGNALS = (*STOP_SIGNALS, KILL_SIGNAL, *UNUSED_SIGNALS)
CHILD_SIGNAL = signal.SIGCHLD
"""A child has ended. A parent may have left it ignored, and children would be reaped before anybody looks (wait(2))."""
_MANY = 4096


def prepare_signals() -> None:
    """Ignore IGNORED_SIGNALS from now on, in this process and those that it forks, and let Ctrl-C end it quietly."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # As long as nothing is open that would have to be closed; a KeyboardInterrupt would be a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class StopSignals:
    """Collects CAUGHT_SIGNALS and CHILD_SIGNAL in a pipe; `descriptor` is readable while there are any."""

    def __init__(self) -> None:
        """Open the pipe and listen (signal.set_wakeup_fd)."""
        self.descriptor, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in (*_handled(), CHILD_SIGNAL):
            signal.signal(number, _do_nothing)

    def read(self) -> list[int]:
        """Return the numbers of those that have come, oldest first."""
        return list(os.read(self.descriptor, _MANY))

    def ignore(self) -> None:
        """In a forked process, with CAUGHT_SIGNALS blocked from before the fork: leave a stop to the parent.

        UNUSED_SIGNALS stay caught, so that they do no harm.
        """
        signal.set_wakeup_fd(-1)
        for number in (*STOP_SIGNALS, KILL_SIGNAL):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(CHILD_SIGNAL, signal.SIG_DFL)
        os.close(self.descriptor)
        os.close(self._writing)


@contextlib.contextmanager
def unused_signals_reported(report: Callable[[int], object]) -> Generator[None, None, None]:
    """Within the block, have the running loop call `report` with the number of each of UNUSED_SIGNALS that comes."""
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
