"""Reaps adopted processes soon after they have ended by themselves."""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from ..linux.child_signal import ChildSignal
from ..linux.process_tree import ProcessTree
from .slices import Slices

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

REAP_SECONDS = 1.0
"""Between scans of the adopted processes while no SIGCHLD arrives."""
SIGNAL_INTERVAL_SECONDS = 0.05
"""Between two handled SIGCHLD, while nothing is being killed: most are for leaders, which are reaped elsewhere."""


class AdoptedReaper:
    """Scans the adopted children while there are any children: once a second, and when SIGCHLD arrives."""

    def __init__(self, tree: ProcessTree, slices: Slices, on_child_end: Callable[[], object]) -> None:
        """`on_child_end` is called at each SIGCHLD that is handled."""
        self._tree = tree
        self._slices = slices
        self._on_child_end = on_child_end
        self._loop = asyncio.get_running_loop()
        self._signal = ChildSignal(self._on_signal)
        # For the next scan; None while there are no children.
        self.timer: asyncio.TimerHandle | None = None
        self._rearm_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Scan from now on until there are no more children."""
        if self.timer is None:
            self.timer = self._loop.call_later(REAP_SECONDS, self._reap, None)
            if self._rearm_timer is None:
                self.expect_exit()

    def expect_exit(self) -> None:
        """Handle the next SIGCHLD, even if the last one was handled a short time ago."""
        self._signal.arm()

    def close(self) -> None:
        """Stop scanning."""
        for timer in (self.timer, self._rearm_timer):
            if timer is not None:
                timer.cancel()
        self._signal.close()

    def _on_signal(self) -> None:
        if self._rearm_timer is None:
            self._rearm_timer = self._loop.call_later(SIGNAL_INTERVAL_SECONDS, self._rearm)
        self._on_child_end()
        self._reap_if_dead()

    def _rearm(self) -> None:
        self._rearm_timer = None
        if self.timer is not None:
            self.expect_exit()
            # For children that have ended since the last signal, none was handled.
            self._reap_if_dead()

    def _reap_if_dead(self) -> None:
        if self.timer is not None and self._tree.has_adopted_zombie():
            self.timer.cancel()
            self._reap(None)

    def _reap(self, scan: Iterator[None] | None) -> None:
        scan = scan or self._tree.scan(frozenset(), {})
        try:
            if self._slices.run_slice(scan):
                self.timer = self._loop.call_later(0, self._reap, scan)
                return
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next scan follows in a second
            _log.warning("cannot look for processes that ended tasks have left", reason=repr(error))
        self.timer = None
        if self._tree.has_children:
            self.start()
