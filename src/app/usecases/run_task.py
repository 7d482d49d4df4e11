"""The use case: run one task, measure its times, and translate its outcome into the result of the protocol."""

import logging
from typing import assert_never

import structlog

from ...domain.control import TaskControl
from ...domain.outcome import (
    Cancelled,
    Exited,
    NotStarted,
    Outcome,
    OutputLimitExceeded,
    Refused,
    ResultLost,
    Signalled,
    TimedOut,
)
from ...domain.ports.clock import Clock
from ...domain.ports.executor import TaskExecutor
from ...domain.task import NO_EXIT_CODE, TaskRequest, TaskResult

SIGNAL_BASE = 128
"""Added to a signal's number, as shells and Docker do, to distinguish it from -1 and from most exit statuses."""


_NO_CONTROL = TaskControl()


class RunTask:
    """Runs a request with the executor, measures it with the clock, and builds the TaskResult."""

    def __init__(self, executor: TaskExecutor, clock: Clock) -> None:
        self._executor = executor
        self._clock = clock
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind()
        # Asked once: with another level, a log call would cost every task something and write nothing.
        self._logs_ends = self._log.is_enabled_for(logging.DEBUG)

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:
        """Run the request to its end; the caller owns the result's output."""
        executed_at = int(self._clock.unix_seconds())
        started_at = self._clock.monotonic_seconds()
        execution = await self._executor.execute(request, control)
        outcome = execution.outcome
        # Most outcomes are Exited: handled here without a call.
        exit_code, error = (outcome.status, "") if type(outcome) is Exited else exit_code_and_error(outcome)
        duration_ms = (execution.ended_at - started_at) * 1000
        if self._logs_ends:
            control = control or _NO_CONTROL
            self._log.debug(
                "task ended",
                command=request.command,
                exit_code=exit_code,
                error=error,
                ms=duration_ms,
                id=control.request_id,
                pid=control.pid,
                client=control.client,
            )
        return TaskResult(
            command=request.command,
            executed_at=executed_at,
            duration_ms=duration_ms,
            exit_code=exit_code,
            output=execution.output,
            error=error,
        )


def exit_code_and_error(outcome: Outcome) -> tuple[int, str]:
    """Return `exit_code` and `error` for an outcome, by the table in README, *Protocol*."""
    match outcome:
        case Exited(status):
            return status, ""
        case Signalled(number, name):
            return SIGNAL_BASE + number, f"terminated by signal {name}"
        case TimedOut():
            return NO_EXIT_CODE, "timeout exceeded"
        case NotStarted(reason) | Refused(reason) | ResultLost(reason):
            return NO_EXIT_CODE, reason
        case OutputLimitExceeded():
            return NO_EXIT_CODE, "output limit exceeded"
        case Cancelled():
            return NO_EXIT_CODE, "cancelled"
        case _:
            assert_never(outcome)
