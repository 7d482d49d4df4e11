"""Reads and discards the output of processes that are kept after the result of their task has been sent.

A closed read end would end such a process, for example a daemon, by SIGPIPE at its next line of output.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import select
import time

from ...rate_limited_log import RateLimitedLog
from ..poller import Poller

DISCARD_BYTES = 64 * 1024
"""Read from one pipe at a time; a writer that has filled the pipe waits until the next time."""
INTERVAL_SECONDS = 0.1
"""Between two such times, at least. What is written meanwhile does not wake this process."""
MAX_SHARE = 0.005
"""Of one processor that reading may take, whatever is written."""
PIPES_AT_A_TIME = 64
DESCRIPTORS_DIVISOR = 4
"""The limit of open files divided by this is the maximum number of such pipes."""


class PipeDiscarder:
    """Keeps pipes open and keeps emptying them, each until end-of-file."""

    def __init__(self, poller: Poller) -> None:
        """`poller` reports when one of the pipes is written to after a time without writes."""
        self._loop = asyncio.get_running_loop()
        self._poller = poller
        self._null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._epoll = select.epoll()
        # Oldest first.
        self._pipes: dict[int, None] = {}
        # Set from the first byte until an interval without writes; otherwise `poller` watches the epoll.
        self._timer: asyncio.TimerHandle | None = None
        self._log = RateLimitedLog(
            "too many processes that were left behind hold the pipes of their output: the oldest pipe is closed, "
            "which ends them when they write; a higher limit of open files (ulimit -n) allows more",
            self._loop.time,
            self._loop.call_later,
        )
        poller.register(self._epoll.fileno(), self._wake)

    def add(self, pipe: int) -> None:
        """Own a read end that is non-blocking and not watched; if there are too many, close the oldest."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // DESCRIPTORS_DIVISOR
        while self._pipes and len(self._pipes) >= limit:
            self._log.warning(pipes=len(self._pipes))
            self._close(next(iter(self._pipes)))
        with contextlib.suppress(OSError):
            # Saves kernel memory, of which each user has a limited share for all pipes together (pipe(7)).
            if fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) > DISCARD_BYTES:
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, DISCARD_BYTES)
        try:
            self._epoll.register(pipe, select.EPOLLIN)
        except OSError as error:
            self._log.warning(reason=error.strerror)
            os.close(pipe)
        else:
            self._pipes[pipe] = None

    def close(self) -> None:
        """Close all pipes."""
        if self._timer is None:
            self._poller.unregister(self._epoll.fileno())
        else:
            self._timer.cancel()
        while self._pipes:
            self._close(next(iter(self._pipes)))
        self._epoll.close()
        os.close(self._null)

    def _wake(self) -> None:
        self._poller.unregister(self._epoll.fileno())
        self._timer = self._loop.call_later(INTERVAL_SECONDS, self._discard)

    def _discard(self) -> None:
        try:
            pause = self._discard_readable()
            if pause is None:
                self._poller.register(self._epoll.fileno(), self._wake)
        except (OSError, MemoryError):
            # Without another attempt a writer would wait for ever at a full pipe.
            pause = INTERVAL_SECONDS
        self._timer = None if pause is None else self._loop.call_later(pause, self._discard)

    def _discard_readable(self) -> float | None:
        """Empty readable pipes; return the pause before the next time, None to wait until a pipe is written to."""
        # CPU time, not wall-clock time: MAX_SHARE limits what this takes from other work.
        began = time.thread_time()
        # Pipes that are still readable afterwards are reported last the next time (epoll(7)).
        events = self._epoll.poll(0, PIPES_AT_A_TIME)
        for pipe, event in events:
            if event & select.EPOLLHUP:
                self._close(pipe)
                continue
            with contextlib.suppress(OSError):
                # splice(2) copies nothing and takes packets too. Another holder of the pipe may have emptied it before.
                os.splice(pipe, self._null, DISCARD_BYTES, None, None, os.SPLICE_F_NONBLOCK)
        return max(INTERVAL_SECONDS, (time.thread_time() - began) / MAX_SHARE) if events else None

    def _close(self, pipe: int) -> None:
        del self._pipes[pipe]
        # Before it is closed: a child that has not finished exec holds a copy (see Poller.unregister).
        self._epoll.unregister(pipe)
        os.close(pipe)
