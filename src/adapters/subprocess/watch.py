"""Readability of many short-lived descriptors through one epoll of our own, nested in the event loop.

A task brings one or two descriptors that live a millisecond. Through the loop's own `add_reader` and `remove_reader`
each costs a handle, a context and several layers; here it is a dictionary entry and one epoll_ctl(2).
"""

import asyncio
import select
from collections.abc import Callable

BATCH = 256


class Watch:
    """Calls back while a descriptor is readable, level-triggered, until it is removed.

    A callback may come once too often for a descriptor number that was closed and taken anew within one batch:
    callbacks read without blocking and make nothing of finding nothing.
    """

    def __init__(self) -> None:
        """Open the epoll and hang it into the running loop."""
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._loop.add_reader(self._epoll.fileno(), self._dispatch)

    def add(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a descriptor; raises OSError where the kernel can watch no more."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._callbacks[descriptor] = callback

    def remove(self, descriptor: int) -> None:
        """Watch it no longer; always before closing it.

        A child that has not finished exec holds a copy of it, and through that the kernel would keep on reporting.
        """
        del self._callbacks[descriptor]
        self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Leave the loop."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        callbacks = self._callbacks
        for descriptor, _ in self._epoll.poll(0, BATCH):
            callback = callbacks.get(descriptor)
            if callback is not None:
                callback()
