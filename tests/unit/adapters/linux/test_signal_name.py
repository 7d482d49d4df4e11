import signal

import pytest

from execwire.adapters.linux.signal_name import signal_name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (signal.SIGHUP, "SIGHUP"),
        (signal.SIGKILL, "SIGKILL"),
        (signal.SIGSEGV, "SIGSEGV"),
        (signal.SIGSYS, "SIGSYS"),
        (signal.SIGRTMIN, "SIGRTMIN"),
        (signal.SIGRTMIN + 1, "SIGRTMIN+1"),
        (signal.SIGRTMAX - 1, f"SIGRTMIN+{signal.SIGRTMAX - 1 - signal.SIGRTMIN}"),
        (signal.SIGRTMAX, "SIGRTMAX"),
        # Two below the first are the C library's own; a shell can send them all the same.
        (signal.SIGRTMIN - 1, "SIGRTMIN-1"),
        (signal.SIGRTMIN - 2, "SIGRTMIN-2"),
    ],
)
def test_every_signal_has_the_name_that_the_manual_gives_it(number: int, name: str) -> None:
    assert signal_name(number) == name


def test_no_signal_is_without_a_name() -> None:
    names = [signal_name(number) for number in range(1, signal.SIGRTMAX + 1)]
    assert len(set(names)) == signal.SIGRTMAX
    assert all(name.startswith("SIG") for name in names)
