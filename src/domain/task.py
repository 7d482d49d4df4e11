"""Requests and results of tasks, as values that are validated when they are built."""

import math
from dataclasses import dataclass

from .output import CapturedOutput

NO_EXIT_CODE = -1


class InvalidTaskError(ValueError):
    """Raised for an invalid TaskRequest; `field` is the JSON path of the invalid part, such as `command[0]`."""

    def __init__(self, field: str, reason: str) -> None:
        """Store the field separately from the reason, so that an adapter can format it."""
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A command to run, as in a request of the protocol (README, *Protocol*).

    `command` is the argument vector (argv). It and its first string must not be empty. No string may contain a NUL or a
    lone surrogate, since execve(2) accepts neither. `timeout_ms` limits the execution, in milliseconds: above 0 and
    finite; None means no timeout.
    """

    command: tuple[str, ...]
    timeout_ms: float | None = None

    def __post_init__(self) -> None:
        """Reject values that execve or a timer cannot accept; raises InvalidTaskError."""
        if not self.command:
            raise InvalidTaskError("command", "Expected a non-empty `array`")
        if not self.command[0]:
            raise InvalidTaskError("command[0]", "Expected a non-empty `str`")
        # Checked as one string: checking 200,000 arguments one by one would block the event loop for too long.
        text = "".join(self.command)
        if "\0" in text or not (text.isascii() or _is_encodable(text)):
            raise _first_error(self.command)
        if self.timeout_ms is not None and not (self.timeout_ms > 0 and math.isfinite(self.timeout_ms)):
            # The message describes the protocol, in which 0 means no timeout; it is never passed on to here.
            raise InvalidTaskError("timeout", "Expected a number of milliseconds >= 0")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of one request, as in the protocol.

    `executed_at` is Unix time in whole seconds, `duration_ms` milliseconds on a monotonic clock. `exit_code` is the
    exit status of the command, 128 + n after signal n, or -1. If it is not the command's exit status, `error` says why.
    The owner of the result closes `output` once it has been delivered or is not needed.
    """

    command: tuple[str, ...]
    executed_at: int
    duration_ms: float
    exit_code: int
    output: CapturedOutput
    error: str

    def __post_init__(self) -> None:
        """Raise ValueError for a result that contradicts itself: that is a bug in the agent, not in the request."""
        if self.exit_code < NO_EXIT_CODE or (self.exit_code == NO_EXIT_CODE and not self.error):
            message = f"exit code {self.exit_code} with error {self.error!r}"
            raise ValueError(message)
        if self.executed_at < 0 or not self.duration_ms >= 0:
            message = f"executed at {self.executed_at} for {self.duration_ms} ms"
            raise ValueError(message)


def _first_error(command: tuple[str, ...]) -> InvalidTaskError:
    for index, argument in enumerate(command):
        if "\0" in argument:
            return InvalidTaskError(f"command[{index}]", "A NUL character cannot be passed to a program")
        if not _is_encodable(argument):
            return InvalidTaskError(f"command[{index}]", "A lone surrogate is not text")
    message = "no argument is at fault"
    raise ValueError(message)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
