"""What is asked for and what came of it; a value that makes no sense cannot be built."""

import math
from dataclasses import dataclass

from .output import CapturedOutput

NO_EXIT_CODE = -1


class InvalidTaskError(ValueError):
    """A TaskRequest that cannot be; `field` is its JSON path below the request, such as `command[0]`."""

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field apart from the reason, so that an adapter can name it in its own terms."""
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A command to run, as the protocol's request has it (README, *Protocol*).

    `command` is the ARGV: not empty, its first string not empty, no NUL and no lone surrogate anywhere (execve(2)
    takes neither). `timeout_ms` is milliseconds of execution, above 0 and finite; None means no timeout.
    """

    command: tuple[str, ...]
    timeout_ms: float | None = None

    def __post_init__(self) -> None:
        """Refuse what execve or a timer could not take; raises InvalidTaskError."""
        if not self.command:
            raise InvalidTaskError("command", "Expected a non-empty `array`")
        if not self.command[0]:
            raise InvalidTaskError("command[0]", "Expected a non-empty `str`")
        # As one text: 200,000 arguments looked at one by one hold everybody else up for too long.
        text = "".join(self.command)
        if "\0" in text or not (text.isascii() or _is_encodable(text)):
            raise _first_fault(self.command)
        if self.timeout_ms is not None and not (self.timeout_ms > 0 and math.isfinite(self.timeout_ms)):
            raise InvalidTaskError("timeout", "Expected a number of milliseconds >= 0")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What the protocol's result says of one request.

    `executed_at` is Unix time in whole seconds, `duration_ms` milliseconds on a monotonic clock. `exit_code` is the
    command's own, or 128 + n after signal n, or -1; whenever it is not the command's own, `error` says why. Whoever
    holds the result closes `output` once it has been delivered or is not wanted.
    """

    command: tuple[str, ...]
    executed_at: int
    duration_ms: float
    exit_code: int
    output: CapturedOutput
    error: str

    def __post_init__(self) -> None:
        """Raise ValueError for a result that contradicts itself: that is a defect of the agent, not of a request."""
        if self.exit_code < NO_EXIT_CODE or (self.exit_code == NO_EXIT_CODE and not self.error):
            message = f"exit code {self.exit_code} with error {self.error!r}"
            raise ValueError(message)
        if self.executed_at < 0 or not self.duration_ms >= 0:
            message = f"executed at {self.executed_at} for {self.duration_ms} ms"
            raise ValueError(message)


def _first_fault(command: tuple[str, ...]) -> InvalidTaskError:
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
