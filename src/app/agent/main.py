"""The main function of a worker: a failure before it accepts is told to the supervisor, a later one to the log."""

import contextlib
import os
import select
from collections.abc import Callable

import structlog

from ...adapters.stderr import QueuedStderr
from ..control_pipe import FAILED, READY
from ..logs import configure_logging
from .container import Container
from .lifecycle import run

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

NO_MEMORY = "out of memory"
NO_THREAD = "can't start new thread"
"""Python's words for EAGAIN of pthread_create(3)."""


def worker_main(
    build: Callable[[], Container],
    log_level: str,
    orders: int,
    ready: int,
    *,
    terminal: bool,
) -> int:
    """Serve until told to stop; return the exit status. `orders` and `ready` are as Supervisor's `work` takes them."""
    accepting = False

    def accept() -> None:
        nonlocal accepting
        accepting = True
        os.write(ready, READY)

    with contextlib.ExitStack() as stack:
        try:
            # It has a thread, which may be refused.
            writer = QueuedStderr()
            stack.callback(writer.close)
            configure_logging(log_level, writer, terminal=terminal)
            run(build(), orders, accept, lambda: _leave(writer))
        except Exception as error:  # noqa: BLE001 -- a log cannot block, a traceback can
            shortage = shortage_of(error)
            if accepting or shortage is None:
                _log.exception("the worker failed")
            if not accepting:
                os.write(ready, (shortage or repr(error)).encode("utf-8", "replace")[: select.PIPE_BUF])
            return FAILED
    return 0


def _leave(writer: QueuedStderr) -> None:
    """End now, whatever still runs: the supervisor kills that, and starts another worker."""
    try:
        writer.close()
    finally:
        os._exit(FAILED)


def shortage_of(error: Exception) -> str | None:
    """Return what the system has refused, in words, or None where the error is one of the program."""
    match error:
        case OSError():
            return error.strerror or str(error) or repr(error)
        case MemoryError():
            return f"{NO_MEMORY}: its limit (ulimit -v, or a memory cgroup) is too low"
        case RuntimeError() if NO_THREAD in str(error):
            return (
                f"{NO_THREAD}: a limit of memory (ulimit -v), of processes (ulimit -u) or of a pids cgroup is too low"
            )
        case _:
            return None
