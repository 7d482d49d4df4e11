"""The names of signals, all of them."""

import signal


def signal_name(number: int) -> str:
    """Return a signal's name as signal(7) has it; what has none of its own counts from the first real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+d}"
