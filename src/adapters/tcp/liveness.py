"""What time does to a client: its end that reading does not show, and a line that it does not complete."""

import asyncio
from collections.abc import Callable

from .peers import Peer, Presence

CHECK_SECONDS = 0.5


class OneShotTimer:
    """Calls back `seconds` after it was started, unless stopped before; starting it twice does not prolong it."""

    __slots__ = ("_on_over", "_seconds", "_timer", "running")

    def __init__(self, seconds: float, on_over: Callable[[], None]) -> None:
        self._seconds = seconds
        self._on_over = on_over
        self._timer: asyncio.TimerHandle | None = None
        self.running = False

    def start(self) -> None:
        """Run, unless it runs already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
            self.running = True

    def stop(self) -> None:
        """Do not call back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.running = False

    def _expire(self) -> None:
        self._timer = None
        self.running = False
        self._on_over()


class Liveness:
    """Looks the client of a transport up every CHECK_SECONDS while `needed()`, and aborts once it has disconnected."""

    __slots__ = ("_countdown", "_needed", "_peer", "_transport")

    def __init__(self, transport: asyncio.Transport, peer: Peer, needed: Callable[[], bool]) -> None:
        self._transport = transport
        self._peer = peer
        self._needed = needed
        self._countdown = OneShotTimer(CHECK_SECONDS, self.check)

    def watch(self) -> None:
        """Look from now on, while needed."""
        self._countdown.start()

    def check(self) -> None:
        """Look at once, and from now on, while needed."""
        self.stop()
        if self._transport.is_closing() or not self._needed():
            return
        if self._peer.presence() is Presence.DISCONNECTED:
            self._transport.abort()
        else:
            self.watch()

    def stop(self) -> None:
        """Look no more."""
        self._countdown.stop()

    def close(self) -> None:
        """Look never again, and let go of the countdown, which knows this: the two would keep each other."""
        self._countdown.stop()
        del self._countdown
