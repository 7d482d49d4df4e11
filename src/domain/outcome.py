"""The ways in which a task can end: a closed union, so that a new one cannot be forgotten anywhere."""

from dataclasses import dataclass
from typing import TypeAlias

from .output import CapturedOutput

MAX_EXIT_STATUS = 255


@dataclass(frozen=True, slots=True)
class Exited:
    """The command ended by itself; `status` is what wait(2) reports, 0 to 255."""

    status: int

    def __post_init__(self) -> None:
        """Raise ValueError outside of 0 to 255."""
        if not 0 <= self.status <= MAX_EXIT_STATUS:
            message = f"an exit status is 0 to {MAX_EXIT_STATUS}, not {self.status}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal that the agent did not send ended the command; `name` as in signal(7), such as SIGSEGV."""

    number: int
    name: str

    def __post_init__(self) -> None:
        """Raise ValueError for what is not a signal."""
        if self.number < 1 or not self.name:
            message = f"no signal {self.number} {self.name!r}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It ran past its timeout and was killed."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """No process came of it; `reason` is the system's, with the file named."""

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "a task that did not start has a reason"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class OutputLimitExceeded:
    """It wrote more than the agent keeps and was killed; the output is the first bytes, up to the limit."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Its requester took it back; it was killed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The agent would not run it, or not to its end; `reason` in plain words."""

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "a refusal has a reason"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class OutputLost:
    """It ran, but its output could not be kept; it was killed unless it had ended. `reason` says so in plain words.

    Not Refused: what was refused may be sent again as it is, and this must not, since it has had its effects.
    """

    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError without a reason."""
        if not self.reason:
            message = "output that is lost has a reason"
            raise ValueError(message)


Outcome: TypeAlias = Exited | Signalled | TimedOut | NotStarted | OutputLimitExceeded | OutputLost | Cancelled | Refused


@dataclass(frozen=True, slots=True)
class Execution:
    """What became of one attempt to run a command.

    `ended_at` is seconds on the Clock's monotonic scale at which the command was seen to have ended: what is done
    after that (waiting for the last output, clearing away what was left over) is not execution.
    """

    outcome: Outcome
    output: CapturedOutput
    ended_at: float
