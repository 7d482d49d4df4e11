"""A rate-limited warning: the first is logged at once, then at most one line in an interval, with a count."""

from collections.abc import Callable
from typing import TypeAlias

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

INTERVAL_SECONDS = 10.0

CallLater: TypeAlias = Callable[[float, Callable[[], object]], object]
"""As asyncio's loop.call_later: call after so many seconds."""


class RateLimitedLog:
    """Logs `event` as a warning; within an interval after a line, warnings are only counted.

    The next line has the fields of the last of these warnings, and in `suppressed` the number of the others. It is
    written at the end of the interval if `call_later` is given, else with the next warning or by `flush`.
    """

    def __init__(
        self,
        event: str,
        monotonic_seconds: Callable[[], float],
        call_later: CallLater | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        """`monotonic_seconds` is Clock.monotonic_seconds, loop.time or time.monotonic."""
        self._event = event
        self._monotonic_seconds = monotonic_seconds
        self._call_later = call_later
        self._interval_seconds = interval_seconds
        # When the next line may be written.
        self._next_at = float("-inf")
        # The number of warnings since the last line.
        self._pending = 0
        self._fields: dict[str, object] = {}

    def warning(self, **fields: object) -> None:
        """Log, or only count if the last line is too recent."""
        self._fields = fields
        wait = self._next_at - self._monotonic_seconds()
        self._pending += 1
        if wait <= 0:
            self._write()
        elif self._pending == 1 and self._call_later is not None:
            self._call_later(wait, self.flush)

    def flush(self) -> None:
        """Log warnings that were only counted, if any, without waiting for the end of the interval."""
        if self._pending:
            self._write()

    def _write(self) -> None:
        self._next_at = self._monotonic_seconds() + self._interval_seconds
        suppressed, self._pending = self._pending - 1, 0
        _log.warning(self._event, **self._fields, **({"suppressed": suppressed} if suppressed else {}))
