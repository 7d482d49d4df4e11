import fcntl
import os
import select
import signal
from collections.abc import Iterator

import pytest
from proc import eventually

from execwire.app.stop_signals import (
    CAUGHT_SIGNALS,
    CHILD_SIGNAL,
    IGNORED_SIGNALS,
    KILL_SIGNAL,
    STOP_SIGNALS,
    UNUSED_SIGNALS,
    StopSignals,
    unused_signals_reported,
)


@pytest.fixture
def signals() -> Iterator[StopSignals]:
    """StopSignals in this process; the handlers are restored afterwards."""
    before = {number: signal.getsignal(number) for number in (*CAUGHT_SIGNALS, CHILD_SIGNAL)}
    signals = StopSignals()
    yield signals
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def is_readable(descriptor: int) -> bool:
    return select.select([descriptor], [], [], 0) == ([descriptor], [], [])


def close(signals: StopSignals) -> None:
    """Close both ends of the pipe; StopSignals does so only in a worker."""
    signals.ignore()


def test_signals_are_read_in_the_order_of_arrival(signals: StopSignals) -> None:
    assert not is_readable(signals.descriptor)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        signal.raise_signal(number)
    assert is_readable(signals.descriptor)
    assert signals.read() == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM]
    assert not is_readable(signals.descriptor)
    close(signals)


def test_more_signals_than_the_pipe_holds_are_harmless(signals: StopSignals) -> None:
    size = fcntl.fcntl(signals.descriptor, fcntl.F_SETPIPE_SZ, 4096)
    for _ in range(size + 10):
        signal.raise_signal(signal.SIGTERM)
    assert set(signals.read()) == {signal.SIGTERM}
    close(signals)


def test_worker_ignores_stop_signals(signals: StopSignals) -> None:
    signals.ignore()
    for number in (*STOP_SIGNALS, KILL_SIGNAL):
        assert signal.getsignal(number) == signal.SIG_IGN
        signal.raise_signal(number)
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(signals.descriptor)


def test_every_signal_that_would_terminate_the_agent_is_caught_or_ignored() -> None:
    # signal(7): only these do nothing by default, suspend a process, cannot be caught, or are a fault of the process.
    harmless = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
    stops = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN}
    faults = {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
    others = signal.valid_signals() - harmless - stops - faults - {signal.SIGKILL}
    assert others == {*CAUGHT_SIGNALS} | IGNORED_SIGNALS


def test_signals_ignored_at_the_start_stay_ignored() -> None:
    before = {number: signal.getsignal(number) for number in CAUGHT_SIGNALS}
    try:
        for number in CAUGHT_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signals = StopSignals()
        assert {signal.getsignal(number) for number in CAUGHT_SIGNALS} == {signal.SIG_IGN}
        for number in CAUGHT_SIGNALS:
            signal.raise_signal(number)
        assert not is_readable(signals.descriptor)
        close(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_unused_signals_are_reported_by_the_loop_and_then_restored() -> None:
    before = {number: signal.getsignal(number) for number in UNUSED_SIGNALS}
    reported: list[int] = []
    with unused_signals_reported(reported.append):
        for number in UNUSED_SIGNALS:
            signal.raise_signal(number)
        await eventually(lambda: set(reported) == set(UNUSED_SIGNALS))
    assert {number: signal.getsignal(number) for number in UNUSED_SIGNALS} == before
