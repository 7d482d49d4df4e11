"""Names of signals, including real-time signals."""

import signal


def signal_name(number: int) -> str:
    """Return a signal's name as in signal(7); one without a name is counted from the first real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+d}"
