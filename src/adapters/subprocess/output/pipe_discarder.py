"""Pipes of tasks that have been answered while processes that are meant to live hold them: read, and thrown away.

A closed reading end would end such a process, a daemon for one, by SIGPIPE at its next line of output.
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
"""Read at a time of one pipe; who has filled it waits until the next time."""
INTERVAL_SECONDS = 0.1
"""Between two times, at least. Nobody is woken up by what is written meanwhile."""
MAX_SHARE = 0.005
"""Of a processor that reading may take, however many write how much."""
PIPES_AT_A_TIME = 64
DESCRIPTORS_DIVISOR = 4
"""One part in so many of the limit of open files may be such pipes."""


class PipeDiscarder:
    """Keeps pipes open and from being full, each for as long as somebody can write to it."""

    def __init__(self, poller: Poller) -> None:
        """`poller` tells when the first of them is written to again."""
        self._loop = asyncio.get_running_loop()
        self._poller = poller
        self._null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._epoll = select.epoll()
        # Oldest first.
        self._pipes: dict[int, None] = {}
        # While nobody writes, `poller` looks; from the first byte on, a timer, until nobody writes any more.
        self._timer: asyncio.TimerHandle | None = None
        self._log = RateLimitedLog(
            "too many processes that were left behind hold the pipes of their output: the oldest pipe is closed, "
            "which ends them when they write; a higher limit of open files (ulimit -n) allows more",
            self._loop.time,
            self._loop.call_later,
        )
        poller.register(self._epoll.fileno(), self._wake)

    def add(self, pipe: int) -> None:
        """Own a reading end that is not blocking and not watched; where there are too many, close the oldest."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // DESCRIPTORS_DIVISOR
        while self._pipes and len(self._pipes) >= limit:
            self._log.warning(pipes=len(self._pipes))
            self._close(next(iter(self._pipes)))
        with contextlib.suppress(OSError):
            # Memory of the kernel; also, each user has a share of it for all pipes together (pipe(7)).
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
        """Close all of them."""
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
            pause = self._empty_some()
            if pause is None:
                self._poller.register(self._epoll.fileno(), self._wake)
        except (OSError, MemoryError):
            # Whoever writes would wait for ever at a full pipe, if nobody came again.
            pause = INTERVAL_SECONDS
        self._timer = None if pause is None else self._loop.call_later(pause, self._discard)

    def _empty_some(self) -> float | None:
        """Empty those that are written to; return when to come again, None to wait until somebody writes."""
        # On the processor, not on the clock: what is rationed is what it takes from others.
        began = time.thread_time()
        # Those that are still readable afterwards come last the next time (epoll(7)).
        events = self._epoll.poll(0, PIPES_AT_A_TIME)
        for pipe, event in events:
            if event & select.EPOLLHUP:
                self._close(pipe)
                continue
            with contextlib.suppress(OSError):
                # Without a copy, and of packets too; a holder of the pipe may have read it before.
                os.splice(pipe, self._null, DISCARD_BYTES, None, None, os.SPLICE_F_NONBLOCK)
        return max(INTERVAL_SECONDS, (time.thread_time() - began) / MAX_SHARE) if events else None

    def _close(self, pipe: int) -> None:
        del self._pipes[pipe]
        # Before it is closed: a child that has not finished exec holds a copy (see Watch.remove).
        self._epoll.unregister(pipe)
        os.close(pipe)
