"""Readability of many short-lived descriptors through one epoll of our own, nested in the event loop.

A task brings one or two descriptors that live a millisecond. Through the loop's own `add_reader` and `remove_reader`
each costs a handle, a context and several layers; here it is a dictionary entry and one epoll_ctl(2).
"""

import asyncio
import select
from collections.abc import Callable

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

MAX_EVENTS = 256
RETRY_SECONDS = 0.05
"""After which a callback that has failed is called again."""


class Poller:
    """Calls back while a descriptor is readable, level-triggered, until it is removed.

    A callback may come once too often for a descriptor number that was closed and taken anew within one batch:
    callbacks read without blocking and make nothing of finding nothing.
    """

    def __init__(self) -> None:
        """Open the epoll and hang it into the running loop."""
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        # Those whose callbacks have failed, until they are tried again.
        self._paused: set[int] = set()
        self._loop.add_reader(self._epoll.fileno(), self._dispatch)

    def register(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a descriptor; raises OSError where the kernel can watch no more."""
        self._callbacks[descriptor] = callback
        try:
            self._epoll.register(descriptor, select.EPOLLIN)
        except Exception:
            del self._callbacks[descriptor]
            raise

    def unregister(self, descriptor: int) -> None:
        """Watch it no longer; always before closing it.

        A child that has not finished exec holds a copy of it, and through that the kernel would keep on reporting.
        """
        del self._callbacks[descriptor]
        if descriptor in self._paused:
            self._paused.discard(descriptor)
        else:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Leave the loop."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        callbacks = self._callbacks
        try:
            events = self._epoll.poll(0, MAX_EVENTS)
        except MemoryError:
            events = self._epoll.poll(0, 1)
        for descriptor, _ in events:
            callback = callbacks.get(descriptor)
            if callback is not None:
                try:
                    callback()
                except Exception as error:  # noqa: BLE001 -- it must not cost the others their events
                    self._retry_later(descriptor, callback, error)

    def _retry_later(self, descriptor: int, callback: Callable[[], None], error: Exception) -> None:
        """Call back once more after a pause: at once would be for ever, and never would leave a task waiting."""
        if self._callbacks.get(descriptor) is callback:
            self._loop.call_later(RETRY_SECONDS, self._retry, descriptor, callback)
            self._paused.add(descriptor)
            self._epoll.unregister(descriptor)
        _log.error("an event could not be handled; trying again", exc_info=error)

    def _retry(self, descriptor: int, callback: Callable[[], None]) -> None:
        if descriptor in self._paused and self._callbacks.get(descriptor) is callback:
            self._epoll.register(descriptor, select.EPOLLIN)
            self._paused.discard(descriptor)
