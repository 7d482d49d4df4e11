"""A Supervisor over played workers, run to its end."""

import signal

from fake_workers import FakeSystem
from worker_fates import no_work

from execwire.app.supervision.supervisor import Supervisor

LONG = 60.0


class Run:
    """A run of a supervisor to its end; when it is ready, it gets signals."""

    def __init__(self, system: FakeSystem, workers: int = 1, stop_seconds: float = LONG) -> None:
        self.system = system
        self.supervisor = Supervisor(workers, no_work, stop_seconds)
        self.ready = 0

    def until_stopped(self, *numbers: int) -> int:
        """Run; once it is ready and one of the workers lives, it gets these signals, by default SIGTERM."""

        def stop() -> None:
            self.system.send(*(numbers or (signal.SIGTERM,)))

        def ready() -> None:
            self.ready += 1
            if self.system.table.alive:
                stop()
            else:
                self.system.on_accept = stop

        return self.supervisor.run(ready)
