"""The main function of a worker: it reports a failure at its start to the supervisor, and logs later ones."""

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
"""Python's message for EAGAIN of pthread_create(3)."""


def worker_main(
    build: Callable[[], Container],
    log_level: str,
    control: int,
    ready: int,
    *,
    terminal: bool,
) -> int:
    """Serve until stopped; return the exit status. `control` and `ready` are the descriptors of Supervisor's `work`."""
    accepting = False

    def accept() -> None:
        nonlocal accepting
        accepting = True
        os.write(ready, READY)

    with contextlib.ExitStack() as stack:
        try:
            # It starts a thread, which can fail.
            writer = QueuedStderr()
            stack.callback(writer.close)
            configure_logging(log_level, writer, terminal=terminal)
            run(build(), control, accept, lambda: _exit(writer))
        except Exception as error:  # noqa: BLE001 -- logging does not block, printing a traceback can
            shortage = shortage_of(error)
            if accepting or shortage is None:
                _log.exception("the worker failed")
            if not accepting:
                os.write(ready, (shortage or repr(error)).encode("utf-8", "replace")[: select.PIPE_BUF])
            return FAILED
    return 0


def _exit(writer: QueuedStderr) -> None:
    """Exit without cleaning up: the supervisor kills the running tasks and starts another worker."""
    try:
        writer.close()
    finally:
        os._exit(FAILED)


def shortage_of(error: Exception) -> str | None:
    """Return a message if the error is a shortage or an error of the system, None if it is a bug of the program."""
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
