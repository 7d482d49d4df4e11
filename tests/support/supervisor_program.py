"""A program for tests: a Supervisor with workers of one kind. Arguments: kind, count, stop seconds."""

import errno
import os
import signal
import sys
import time
from pathlib import Path

import structlog

from execwire.adapters.stderr import NonBlockingStderr
from execwire.app.control_pipe import READY, STOP
from execwire.app.logs import configure_logging
from execwire.app.stop_signals import StopSignals
from execwire.app.supervision.supervisor import Supervisor


def _obey(orders: int, ready: int) -> int:
    os.write(ready, READY)
    return 0 if os.read(orders, 16).startswith(STOP) else 3


def _die(_orders: int, ready: int) -> int:
    os.write(ready, READY)
    return 7


def _die_at_start(_orders: int, _ready: int) -> int:
    return 7


def _fail(_orders: int, ready: int) -> int:
    os.write(ready, b"no more of it")
    return 1


def _fail_again(orders: int, ready: int) -> int:
    """The first worker serves; the next three fail at their start, then one serves again."""
    count = Path(os.environ["COUNT"])
    with count.open("a") as file:
        file.write("x")
    return _fail(orders, ready) if 1 < count.stat().st_size < 5 else _obey(orders, ready)


def _hang(_orders: int, ready: int) -> int:
    os.write(ready, READY)
    time.sleep(60)
    return 0


def _stop_all(orders: int, ready: int) -> int:
    """Send SIGTERM while the supervisor is still starting other workers."""
    os.kill(os.getppid(), signal.SIGTERM)
    return _obey(orders, ready)


def _fail_before_work(_orders: int, _ready: int) -> int:
    raise AssertionError


def _refuse(_: StopSignals) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


WORK = {
    "obey": _obey,
    "die": _die,
    "die-at-start": _die_at_start,
    "fail": _fail,
    "fail-again": _fail_again,
    "hang": _hang,
    "stop-all": _stop_all,
    "fail-before-work": _fail_before_work,
}

if __name__ == "__main__":
    kind, count, seconds = sys.argv[1:]
    if kind == "fail-before-work":
        # Fails in the forked process, before it is a worker.
        StopSignals.ignore = _refuse  # type: ignore[assignment,method-assign]
    configure_logging("info", NonBlockingStderr(), terminal=False)
    supervisor = Supervisor(int(count), WORK[kind], float(seconds))
    status = supervisor.run(lambda: structlog.get_logger().info("ready"))
    if supervisor.start_failure:
        structlog.get_logger().info("not started", reason=supervisor.start_failure)
    sys.exit(status)
