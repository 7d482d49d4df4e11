"""What becomes of a worker that is started: it lives, dies, is killed, fails."""

import os
import signal

from fake_workers import FakeSystem, FakeWorker


def no_work(orders: int, ready: int) -> int:
    raise AssertionError((orders, ready))


def lives(_: FakeSystem, worker: FakeWorker) -> None:
    assert worker.pid


def dies(system: FakeSystem, worker: FakeWorker) -> None:
    """Crash right after having accepted."""
    if worker.accepts:
        system.accept(worker)
    system.end(worker, signal.SIGSEGV)


def is_killed(system: FakeSystem, worker: FakeWorker) -> None:
    """Be killed from outside right after having accepted."""
    system.accept(worker)
    system.end(worker, signal.SIGKILL)


def fails(system: FakeSystem, worker: FakeWorker) -> None:
    """Say why it cannot start, and end."""
    os.write(worker.ready, b"no more of it")
    system.end(worker, 1 << 8)
