"""A program for tests: a Supervisor over workers of one kind. Its arguments: kind, count, stop seconds."""

import os
import signal
import sys
import time

import structlog

from execwire.adapters.stderr import StderrNow
from execwire.app.logs import configure_logging
from execwire.app.supervisor import Supervisor
from execwire.app.worker import STOP


def _obey(orders: int, ready: int) -> int:
    os.write(ready, b"!")
    return 0 if os.read(orders, 16).startswith(STOP) else 3


def _die(_orders: int, _ready: int) -> int:
    return 7


def _hang(_orders: int, ready: int) -> int:
    os.write(ready, b"!")
    time.sleep(60)
    return 0


def _stop_all(orders: int, ready: int) -> int:
    """Send the stop while the supervisor is still starting others."""
    os.kill(os.getppid(), signal.SIGTERM)
    return _obey(orders, ready)


WORK = {"obey": _obey, "die": _die, "hang": _hang, "stop-all": _stop_all}

if __name__ == "__main__":
    kind, count, seconds = sys.argv[1:]
    configure_logging("info", StderrNow(), terminal=False)
    supervisor = Supervisor(int(count), WORK[kind], float(seconds))
    sys.exit(supervisor.run(lambda: structlog.get_logger().info("ready")))
