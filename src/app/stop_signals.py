"""The signals that ask for a stop, as something to read: a handler that did more might wait for a lock for ever."""

import os
import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MANY = 4096


class StopSignals:
    """Collects STOP_SIGNALS in a pipe; `descriptor` is readable while there are any."""

    def __init__(self) -> None:
        """Open the pipe and listen (signal.set_wakeup_fd)."""
        self.descriptor, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, lambda _number, _frame: None)

    def read(self) -> list[str]:
        """Return the names of those that have come, oldest first."""
        return [signal.Signals(number).name for number in os.read(self.descriptor, _MANY)]

    def ignore(self) -> None:
        """In a forked process, with STOP_SIGNALS blocked from before the fork: leave them to the parent."""
        signal.set_wakeup_fd(-1)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        os.close(self.descriptor)
        os.close(self._writing)
