"""A supervisor's sweep over a ProcessTable."""

import time

from fake_process_table import ProcessTable
from structlog.testing import capture_logs

from execwire.app.supervision.orphans import OrphanReaper

DEAD_WORKER = 999
BOUND_SECONDS = 10.0


class Sweeping:
    """Orphans of one process, swept until nothing is awaited."""

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self.orphans = OrphanReaper()

    def begin(self) -> None:
        """A worker has died whose marks began at 0; it is reaped."""
        self.orphans.start(DEAD_WORKER, 0)

    def to_the_end(self) -> list[dict[str, object]]:
        """Return what was logged."""
        with capture_logs() as logs:
            self.begin()
            self.on()
        return [dict(log) for log in logs]

    def on(self) -> None:
        end = time.monotonic() + BOUND_SECONDS
        while self.orphans.pending:
            assert time.monotonic() < end
            self.orphans.scan()
