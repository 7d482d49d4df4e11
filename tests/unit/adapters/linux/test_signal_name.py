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
        # The C library reserves the two below the first one; a shell can send them nevertheless.
        (signal.SIGRTMIN - 1, "SIGRTMIN-1"),
        (signal.SIGRTMIN - 2, "SIGRTMIN-2"),
    ],
)
def test_signals_have_their_names_from_signal_7(number: int, name: str) -> None:
    assert signal_name(number) == name


def test_every_signal_has_a_unique_name() -> None:
    names = [signal_name(number) for number in range(1, signal.SIGRTMAX + 1)]
    assert len(set(names)) == signal.SIGRTMAX
    assert all(name.startswith("SIG") for name in names)
