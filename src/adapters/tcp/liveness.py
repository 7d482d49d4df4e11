"""Detects disconnects while reading is paused, and has the timer for lines that are not completed."""

import asyncio
from collections.abc import Callable

from .peers import Peer, Presence

CHECK_SECONDS = 0.5


class OneShotTimer:
    """Calls back `seconds` after `start`, unless stopped; starting a running timer does not prolong it."""

    __slots__ = ("_on_expired", "_seconds", "_timer", "running")

    def __init__(self, seconds: float, on_expired: Callable[[], None]) -> None:
        self._seconds = seconds
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self.running = False

    def start(self) -> None:
        """Start the timer, unless it is running."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
            self.running = True

    def stop(self) -> None:
        """Cancel the callback."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.running = False

    def _expire(self) -> None:
        self._timer = None
        self.running = False
        self._on_expired()


class Liveness:
    """Checks every CHECK_SECONDS, while `needed()`, whether the peer is connected; if not, aborts the transport."""

    __slots__ = ("_needed", "_peer", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, peer: Peer, needed: Callable[[], bool]) -> None:
        self._transport = transport
        self._peer = peer
        self._needed = needed
        self._timer = OneShotTimer(CHECK_SECONDS, self.check)

    def watch(self) -> None:
        """Start periodic checks, which last while needed."""
        self._timer.start()

    def check(self) -> None:
        """Check now, and start periodic checks, if needed."""
        self.stop()
        if self._transport.is_closing() or not self._needed():
            return
        if self._peer.presence() is Presence.DISCONNECTED:
            self._transport.abort()
        else:
            self.watch()

    def stop(self) -> None:
        """Stop periodic checks."""
        self._timer.stop()

    def close(self) -> None:
        """Stop for good, and delete the timer, with which this object forms a reference cycle."""
        self._timer.stop()
        del self._timer
