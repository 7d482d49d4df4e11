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
    OutputLost,
    Refused,
    Signalled,
)
from ...domain.output import NO_OUTPUT
from ..linux.signal_name import signal_name
from .context import ProcessContext
from .leader import Leader
from .output.capture import Capture

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


_EXITED = tuple(Exited(status) for status in range(MAX_EXIT_STATUS + 1))


def outcome_of(exit_code: int) -> Outcome:
    """Return the outcome of a command that ended by itself; -n is signal n, as in subprocess."""
    return _EXITED[exit_code] if exit_code >= 0 else Signalled(-exit_code, signal_name(-exit_code))


def outcome_of_output(capture: Capture, directory: str) -> Outcome | None:
    """Return the outcome if the output exceeded the limit or could not be kept in `directory`, otherwise None."""
    if capture.is_whole:
        return None
    failure = capture.failure
    if failure is not None:
        return OutputLost(f"the command ran, but its output could not be kept in {directory}: {failure.strerror}")
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
    return OutputLost(f"the command may have run, but the agent could not see it through: {reason}")


def execution_of(
    leader: Leader, capture: Capture, verdict: Outcome | None, failure: Exception | None, context: ProcessContext
) -> Execution:
    """Return the Execution of a task whose processes have ended; `verdict` is the outcome that a stop has given to it.

    If it fails for lack of memory, it may be called again.
    """
    outcome = verdict
    if outcome is None and leader.is_lost:
        failure = failure or ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    if outcome is None:
        outcome = (
            outcome_of_output(capture, context.spool.directory) if failure is None else outcome_of_failure(failure)
        )
    output = capture.take_output()
    try:
        if isinstance(outcome, Refused | OutputLost):
            output.close()
            output = NO_OUTPUT
        ended_at = leader.ended_at or context.clock.monotonic_seconds()
        return Execution(outcome or outcome_of(leader.exit_code), output, ended_at)
    except Exception:
        output.close()
        raise
