"""Reaping of what was adopted, as soon as it has ended by itself."""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from ..linux.child_signal import ChildSignal
from ..linux.process_tree import ProcessTree
from .slices import Slices

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

TIDY_SECONDS = 1.0
"""Between looks at what is adopted, where no hint comes that something of it has ended."""
HINT_SECONDS = 0.05
"""Between hints, while nothing is being killed: most of them are of leaders, whose owners reap them."""


class Tidying:
    """Looks at the adopted children while there are any children: once a second, and at a hint that one has ended."""

    def __init__(self, tree: ProcessTree, slices: Slices, on_child_end: Callable[[], object]) -> None:
        """`on_child_end` is told of the hints."""
        self._tree = tree
        self._slices = slices
        self._on_child_end = on_child_end
        self._loop = asyncio.get_running_loop()
        self._signal = ChildSignal(self._on_signal)
        # When to look; None while there is nothing to look for.
        self.look: asyncio.TimerHandle | None = None
        self._hint: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look from now on, until no child is left."""
        if self.look is None:
            self.look = self._loop.call_later(TIDY_SECONDS, self._tidy, None)
            if self._hint is None:
                self.expect_end()

    def expect_end(self) -> None:
        """Want a hint at the next end of a child, however short a time ago the last one was."""
        self._signal.arm()

    def close(self) -> None:
        """Look no more."""
        for timer in (self.look, self._hint):
            if timer is not None:
                timer.cancel()
        self._signal.close()

    def _on_signal(self) -> None:
        if self._hint is None:
            self._hint = self._loop.call_later(HINT_SECONDS, self._hint_again)
        self._on_child_end()
        self._tidy_if_dead()

    def _hint_again(self) -> None:
        self._hint = None
        if self.look is not None:
            self.expect_end()
            # What has ended since the last hint has given none.
            self._tidy_if_dead()

    def _tidy_if_dead(self) -> None:
        if self.look is not None and self._tree.has_dead_orphan():
            self.look.cancel()
            self._tidy(None)

    def _tidy(self, walk: Iterator[None] | None) -> None:
        walk = walk or self._tree.walk(frozenset(), {})
        try:
            if self._slices.goes_on(walk):
                self.look = self._loop.call_later(0, self._tidy, walk)
                return
        except Exception as error:  # noqa: BLE001 -- whatever it is, there is another look in a second
            _log.warning("cannot look for processes that ended tasks have left", reason=repr(error))
        self.look = None
        if self._tree.has_children:
            self.begin()
