"""Reaping of what was adopted, as soon as it has ended by itself."""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from ..linux.child_signal import ChildSignal
from ..linux.process_tree import ProcessTree
from .slices import Slices

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

REAP_SECONDS = 1.0
"""Between looks at what is adopted, where no hint comes that something of it has ended."""
SIGNAL_INTERVAL_SECONDS = 0.05
"""Between hints, while nothing is being killed: most of them are of leaders, whose owners reap them."""


class AdoptedReaper:
    """Looks at the adopted children while there are any children: once a second, and at a hint that one has ended."""

    def __init__(self, tree: ProcessTree, slices: Slices, on_child_end: Callable[[], object]) -> None:
        """`on_child_end` is told of the hints."""
        self._tree = tree
        self._slices = slices
        self._on_child_end = on_child_end
        self._loop = asyncio.get_running_loop()
        self._signal = ChildSignal(self._on_signal)
        # When to look; None while there is nothing to look for.
        self.timer: asyncio.TimerHandle | None = None
        self._rearm_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on, until no child is left."""
        if self.timer is None:
            self.timer = self._loop.call_later(REAP_SECONDS, self._reap, None)
            if self._rearm_timer is None:
                self.expect_exit()

    def expect_exit(self) -> None:
        """Want a hint at the next end of a child, however short a time ago the last one was."""
        self._signal.arm()

    def close(self) -> None:
        """Look no more."""
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
            # What has ended since the last hint has given none.
            self._reap_if_dead()

    def _reap_if_dead(self) -> None:
        if self.timer is not None and self._tree.has_dead_orphan():
            self.timer.cancel()
            self._reap(None)

    def _reap(self, walk: Iterator[None] | None) -> None:
        walk = walk or self._tree.scan(frozenset(), {})
        try:
            if self._slices.run_slice(walk):
                self.timer = self._loop.call_later(0, self._reap, walk)
                return
        except Exception as error:  # noqa: BLE001 -- whatever it is, there is another look in a second
            _log.warning("cannot look for processes that ended tasks have left", reason=repr(error))
        self.timer = None
        if self._tree.has_children:
            self.start()
