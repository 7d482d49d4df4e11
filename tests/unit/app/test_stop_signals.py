import fcntl
import os
import select
import signal
from collections.abc import Iterator

import pytest

from execwire.app.stop_signals import STOP_SIGNALS, StopSignals


@pytest.fixture
def signals() -> Iterator[StopSignals]:
    """Listening in this very process, as it was before afterwards."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    signals = StopSignals()
    yield signals
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def is_readable(descriptor: int) -> bool:
    return select.select([descriptor], [], [], 0) == ([descriptor], [], [])


def close(signals: StopSignals) -> None:
    """Close both ends, as only a worker does."""
    signals.ignore()


def test_they_can_be_read_in_the_order_in_which_they_came(signals: StopSignals) -> None:
    assert not is_readable(signals.descriptor)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        signal.raise_signal(number)
    assert is_readable(signals.descriptor)
    assert signals.read() == ["SIGHUP", "SIGTERM", "SIGINT", "SIGTERM"]
    assert not is_readable(signals.descriptor)
    close(signals)


def test_more_of_them_than_fit_are_no_trouble(signals: StopSignals) -> None:
    size = fcntl.fcntl(signals.descriptor, fcntl.F_SETPIPE_SZ, 4096)
    for _ in range(size + 10):
        signal.raise_signal(signal.SIGTERM)
    assert set(signals.read()) == {"SIGTERM"}
    close(signals)


def test_a_worker_leaves_them_to_its_parent(signals: StopSignals) -> None:
    signals.ignore()
    for number in STOP_SIGNALS:
        assert signal.getsignal(number) == signal.SIG_IGN
        signal.raise_signal(number)
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(signals.descriptor)
