"""Maps exit codes, the state of captured output and failures of the agent to outcomes of the domain."""

import errno
import os

import structlog

from ...domain.outcome import (
    MAX_EXIT_STATUS,
    Execution,
    Exited,
    Outcome,
    OutputLimitExceeded,
    Refused,
    ResultLost,
    Signalled,
)
from ...domain.output import NO_OUTPUT
from ..linux.signal_name import signal_name
from .child_process import ChildProcess
from .context import ProcessContext
from .output.capture import Capture

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


EXITED = tuple(Exited(status) for status in range(MAX_EXIT_STATUS + 1))
"""Made once: there are few, and every task needs one."""


def outcome_of_output(capture: Capture, directory: str) -> Outcome | None:
    """Return the outcome if the output exceeded the limit or could not be kept in `directory`, otherwise None."""
    failure = capture.failure
    if failure is not None:
        return ResultLost(f"the command ran, but its output could not be kept in {directory}: {failure.strerror}")
    return OutputLimitExceeded() if capture.overflowed else None


def outcome_of_failure(error: Exception) -> Outcome:
    """Return the outcome of a task that failed inside the agent; errors that are defects, not shortages, are logged."""
    match error:
        case MemoryError():
            reason = os.strerror(errno.ENOMEM)
        case OSError():
            reason = error.strerror or str(error)
        case _:
            _log.error("a task failed inside the agent", exc_info=error)
            reason = "internal error; its log says more"
    return ResultLost(f"the command may have run, but the agent could not see it through: {reason}")


def execution_of(
    child: ChildProcess, capture: Capture, verdict: Outcome | None, failure: Exception | None, context: ProcessContext
) -> Execution:
    """Return the Execution of a task that is over; `verdict` is the outcome that a stop has given to it.

    If it fails for lack of memory, it may be called again.
    """
    outcome = verdict
    if outcome is None and child.is_lost:
        failure = failure or ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    if outcome is None:
        if failure is not None:
            outcome = outcome_of_failure(failure)
        elif capture.is_cut:
            outcome = outcome_of_output(capture, context.spool.directory)
    output = capture.take_output()
    try:
        if outcome is None:
            # The command ended by itself; -n is signal n, as subprocess has it.
            code = child.exit_code
            outcome = EXITED[code] if code >= 0 else Signalled(-code, signal_name(-code))
        elif isinstance(outcome, Refused | ResultLost):
            output.close()
            output = NO_OUTPUT
        return Execution(outcome, output, child.ended_at or context.clock.monotonic_seconds())
    except Exception:
        output.close()
        raise
