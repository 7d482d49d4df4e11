"""A Supervisor with fake workers, run to its end."""

import signal

from fake_workers import FakeSystem
from worker_fates import no_work

from execwire.app.supervision.supervisor import Supervisor

LONG = 60.0


class Run:
    """Runs a supervisor to its end, and sends it signals when it is ready."""

    def __init__(self, system: FakeSystem, workers: int = 1, stop_seconds: float = LONG) -> None:
        self.system = system
        self.supervisor = Supervisor(workers, no_work, stop_seconds)
        self.ready = 0

    def until_stopped(self, *numbers: int) -> int:
        """Run; when it is ready and a worker is alive, send these signals, by default SIGTERM."""

        def stop() -> None:
            self.system.send(*(numbers or (signal.SIGTERM,)))

        def ready() -> None:
            self.ready += 1
            if self.system.table.alive:
                stop()
            else:
                self.system.on_accept = stop

        return self.supervisor.run(ready)
