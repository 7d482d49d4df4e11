"""A supervisor's sweep over a ProcessTable."""

import time

from fake_process_table import ProcessTable
from structlog.testing import capture_logs

from execwire.app.supervision.orphans import OrphanReaper

DEAD_WORKER = 999
BOUND_SECONDS = 10.0


class Sweeping:
    """An OrphanReaper that scans until nothing is pending."""

    def __init__(self, table: ProcessTable) -> None:
        self.table = table
        self.orphans = OrphanReaper()

    def begin(self) -> None:
        """Start after the death of a worker, already reaped, whose marks began at 0."""
        self.orphans.start(DEAD_WORKER, 0)

    def to_the_end(self) -> list[dict[str, object]]:
        """Scan until nothing is pending; return the log."""
        with capture_logs() as logs:
            self.begin()
            self.on()
        return [dict(log) for log in logs]

    def on(self) -> None:
        end = time.monotonic() + BOUND_SECONDS
        while self.orphans.pending:
            assert time.monotonic() < end
            self.orphans.scan()
