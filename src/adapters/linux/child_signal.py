"""SIGCHLD as a hint that a child has ended: an adopted one, which nothing else reports, or a process being killed.

It is read from a signalfd(2), once per `arm`: the kernel drops signals that arrive while one is pending, so a thousand
exits a second cost as much as one. Without a signalfd there are no hints.
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
    """Block SIGCHLD in this thread and those it starts: a thread that does not block it would receive it instead."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})


class ChildSignal:
    """Calls back once per `arm`, soon after a child has ended."""

    def __init__(self, callback: Callable[[], object]) -> None:
        """Block the signal in this thread; `arm` enables the callback."""
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._armed = False
        self._blocked_before = signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        block_child_signal()
        self._descriptor = _signalfd()

    def arm(self) -> None:
        """Call back when the next child ends; earlier signals are discarded."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self._descriptor, _READ_BYTES)
        if not self._armed:
            self._armed = True
            self._loop.add_reader(self._descriptor, self._on_signal)

    def close(self) -> None:
        """Cancel the callback and restore the signal mask."""
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
