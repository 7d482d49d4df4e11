"""The outcomes of a task: a closed union, so that the type checker finds code that does not handle a new one."""

from dataclasses import dataclass
from typing import TypeAlias

from .output import CapturedOutput

MAX_EXIT_STATUS = 255


@dataclass(frozen=True, slots=True)
class Exited:
    """The command exited by itself; `status` is its exit status as wait(2) reports it, 0 to 255."""

    status: int

    def __post_init__(self) -> None:
        """Raise ValueError outside of 0 to 255."""
        if not 0 <= self.status <= MAX_EXIT_STATUS:
            message = f"an exit status is 0 to {MAX_EXIT_STATUS}, not {self.status}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal that the agent did not send terminated the command; `name` is as in signal(7), such as SIGSEGV."""

    number: int
    name: str

    def __post_init__(self) -> None:
        """Raise ValueError for a number or a name that no signal has."""
        if self.number < 1 or not self.name:
            message = f"no signal {self.number} {self.name!r}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The command exceeded its timeout and was killed."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The command could not be started; `reason` is the error of the system and names the file."""

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "a task that did not start has a reason"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class OutputLimitExceeded:
    """The command wrote more output than the limit and was killed; the output is what it wrote up to the limit."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nobody waits for the result any more, and the command was killed.

    The client has disconnected, the caller was cancelled, or the executor is being closed.
    """


@dataclass(frozen=True, slots=True)
class Refused:
    """The agent did not run the command, or killed it before it ended; `reason` is the text for the client."""

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "a refusal has a reason"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class ResultLost:
    """The command ran, but its output could not be stored; or the agent failed meanwhile, and the command may have run.

    It was killed if it had not ended; `reason` is the text for the client. This is not Refused, whose command was not
    run or was killed by the agent's stop: here the command may have had all its effects. Clients decide by `error`
    whether they send a request again (README, *Which requests may be sent again?*).
    """

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "output that is lost has a reason"
            raise ValueError(message)


Outcome: TypeAlias = Exited | Signalled | TimedOut | NotStarted | OutputLimitExceeded | ResultLost | Cancelled | Refused


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome and the output of one attempt to run a command.

    `ended_at` is when the end of the command was detected, in seconds of the Clock's monotonic time. What is done after
    that (waiting for the last output, killing remaining processes) is not execution.
    """

    outcome: Outcome
    output: CapturedOutput
    ended_at: float
