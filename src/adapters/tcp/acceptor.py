"""Accepts connections on listening sockets: how many per wake-up, and when other processes may accept first."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from ..rate_limited_log import RateLimitedLog
from .closing_clients import ClosingClients
from .connection_slots import ConnectionSlots

ACCEPTS_WHILE_MANY_CLOSE = 2
"""Upper limit of accepts per wake-up while many rejected clients are closing: served clients wait for that work."""
YIELD_SECONDS = 0.005
"""How long a process leaves a new connection to others that have fewer, before it accepts it itself. It looks again in
each event-loop iteration: on a timer, a busy process would come round to it too late."""
ACCEPT_PAUSE_SECONDS = 0.1
"""Pause in accepting when the system has no descriptor or memory; meanwhile connections wait in the backlog."""


class Acceptor:
    """Calls `on_client` with each socket that it accepts, between `start` and `stop`."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        accepts_at_once: int,
        slots: ConnectionSlots,
        closing: ClosingClients,
        *,
        on_client: Callable[[socket.socket], None],
        count: Callable[[], int],
        pending: Callable[[], int],
    ) -> None:
        """Accept on `listeners`, which belong to the caller, and abort `closing` when descriptors run out.

        `count` returns the number of clients, for the log; `pending` that of clients of `on_client` without a slot.
        """
        self._listeners = listeners
        self._accepts_at_once = accepts_at_once
        self._slots = slots
        self._closing = closing
        self._on_client = on_client
        self._count = count
        self._pending = pending
        # Listeners that are not watched for a moment, and the timers that end it.
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._is_stopping = False
        # Until when the connection that waits now is left to other processes, and when that was last done.
        self._yields_until = 0.0
        self._yielded_at = 0.0

    def start(self) -> None:
        """Accept from now on."""
        self._loop = loop = asyncio.get_running_loop()
        self._shortages = RateLimitedLog("cannot accept clients for now", loop.time, loop.call_later)
        for listener in self._listeners:
            loop.add_reader(listener.fileno(), self._accept, listener)

    def stop(self) -> None:
        """Accept once more, and then no more: closing a listener would reset connections in its backlog."""
        self._is_stopping = True
        for listener in self._listeners:
            if listener not in self._pauses:
                self._loop.remove_reader(listener.fileno())
                self._accept(listener)
        for pause in self._pauses.values():
            pause.cancel()
        self._shortages.flush()

    def _accept(self, listener: socket.socket) -> None:
        if not self._is_stopping and self._slots.others_first(self._pending()) and self._may_yield():
            return
        self._yields_until = 0.0
        for _ in range(ACCEPTS_WHILE_MANY_CLOSE if self._closing.are_many else self._accepts_at_once):
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._shortages.warning(reason=error.strerror, clients=self._count())
                self._closing.abort_all()
                self._pause(listener, ACCEPT_PAUSE_SECONDS)
                return
            self._on_client(client)
            if self._slots.others_first(self._pending()):
                return

    def _may_yield(self) -> bool:
        now = self._loop.time()
        if not self._yields_until or now > self._yielded_at + YIELD_SECONDS:
            # Not the same connection as the last time: that one was taken by another process.
            self._yields_until = now + YIELD_SECONDS
        self._yielded_at = now
        return now < self._yields_until

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listener.fileno())
        self._pauses[listener] = self._loop.call_later(seconds, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        del self._pauses[listener]
        self._loop.add_reader(listener.fileno(), self._accept, listener)
