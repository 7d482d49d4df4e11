"""SIGCHLD as a hint that some child has ended: an orphan, of which nothing else tells, or what is being killed.

It is read from a signalfd(2), once for each time that it is armed: signals that come while one is pending are dropped
by the kernel, so that a thousand ends a second cost as much as one. Where it cannot be had, there are no hints.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable

_SIGSET_BYTES = 128
_READ_BYTES = 4096


def block_child_signal() -> None:
    """Block it in this thread and in those that it starts: a thread that does not block it takes the hints away."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})


class ChildSignal:
    """Calls back once, soon after a child has ended, each time that it is armed."""

    def __init__(self, callback: Callable[[], object]) -> None:
        """Block the signal in this thread; it is not armed yet."""
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._armed = False
        self._blocked_before = signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        block_child_signal()
        self._descriptor = _signalfd()

    def arm(self) -> None:
        """Call back at the next end from now on; those before are forgotten."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self._descriptor, _READ_BYTES)
        if not self._armed:
            self._armed = True
            self._loop.add_reader(self._descriptor, self._on_signal)

    def close(self) -> None:
        """Call back no more, and have the signal be as it was."""
        if self._descriptor >= 0:
            self._disarm()
            os.close(self._descriptor)
            self._descriptor = -1
        if not self._blocked_before:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _on_signal(self) -> None:
        self._disarm()
        self._callback()

    def _disarm(self) -> None:
        if self._armed:
            self._armed = False
            self._loop.remove_reader(self._descriptor)


def _signalfd() -> int:
    libc = ctypes.CDLL(None)
    signals = ctypes.create_string_buffer(_SIGSET_BYTES)
    libc.sigemptyset(signals)
    libc.sigaddset(signals, int(signal.SIGCHLD))
    return int(libc.signalfd(-1, signals, os.O_CLOEXEC | os.O_NONBLOCK))
