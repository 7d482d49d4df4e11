"""Behaviours of fake workers: they live, die, are killed, or fail at their start."""

import os
import signal

from fake_workers import FakeSystem, FakeWorker


def no_work(orders: int, ready: int) -> int:
    raise AssertionError((orders, ready))


def lives(_: FakeSystem, worker: FakeWorker) -> None:
    assert worker.pid


def dies(system: FakeSystem, worker: FakeWorker) -> None:
    """Crash right after being ready."""
    if worker.accepts:
        system.accept(worker)
    system.end(worker, signal.SIGSEGV)


def is_killed(system: FakeSystem, worker: FakeWorker) -> None:
    """Be killed by another process right after being ready."""
    system.accept(worker)
    system.end(worker, signal.SIGKILL)


def fails(system: FakeSystem, worker: FakeWorker) -> None:
    """Report the reason why it cannot start, and exit."""
    os.write(worker.ready, b"no more of it")
    system.end(worker, 1 << 8)
