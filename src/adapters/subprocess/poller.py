"""Reports readability of many short-lived descriptors through one additional epoll, nested in the event loop.

A task has one or two descriptors that live a millisecond. With the loop's `add_reader` and `remove_reader` each costs a
handle, a context and several layers; here each costs a dictionary entry and one epoll_ctl(2).
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
    """Calls back while a descriptor is readable, level-triggered, until it is unregistered.

    A callback may be called once too often if a descriptor number was closed and reused within one batch of events:
    callbacks must not block and must accept that there is nothing to read.
    """

    def __init__(self) -> None:
        """Open the epoll and add it to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        # Descriptors whose callbacks have failed, until the next attempt.
        self._paused: set[int] = set()
        self._loop.add_reader(self._epoll.fileno(), self._dispatch)

    def register(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a descriptor; raises OSError if the kernel cannot watch any more of them."""
        self._callbacks[descriptor] = callback
        try:
            self._epoll.register(descriptor, select.EPOLLIN)
        except Exception:
            del self._callbacks[descriptor]
            raise

    def unregister(self, descriptor: int) -> None:
        """Stop watching a descriptor; must be called before it is closed.

        A child that has not finished exec holds a copy of it, for which the kernel would continue to report events.
        """
        del self._callbacks[descriptor]
        if descriptor in self._paused:
            self._paused.discard(descriptor)
        else:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Close the epoll and remove it from the loop."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        callbacks = self._callbacks
        try:
            events = self._epoll.poll(0, MAX_EVENTS)
        except MemoryError:
            events = self._epoll.poll(0, 1)
        for descriptor, _ in events:
            if descriptor in callbacks:
                callback = callbacks[descriptor]
                try:
                    callback()
                except Exception as error:  # noqa: BLE001 -- the other descriptors must not lose their events
                    self._retry_later(descriptor, callback, error)

    def _retry_later(self, descriptor: int, callback: Callable[[], None], error: Exception) -> None:
        """Call back again after a pause: immediate retries might never end, without one a task would wait for ever."""
        if self._callbacks.get(descriptor) is callback:
            self._loop.call_later(RETRY_SECONDS, self._retry, descriptor, callback)
            self._paused.add(descriptor)
            self._epoll.unregister(descriptor)
        _log.error("an event could not be handled; trying again", exc_info=error)

    def _retry(self, descriptor: int, callback: Callable[[], None]) -> None:
        if descriptor in self._paused and self._callbacks.get(descriptor) is callback:
            self._epoll.register(descriptor, select.EPOLLIN)
            self._paused.discard(descriptor)
