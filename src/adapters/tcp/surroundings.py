"""What all connections share: the use case, the kernel's word on peers, and the limits for each of them."""

from dataclasses import dataclass, field

from ...domain.ports import Clock, TaskIntake
from .peers import Peers
from .read_scheduler import ReadScheduler


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many requests one client may have in flight, and how many bytes their lines may have together.

    When the client has gone they are killed, or else finished, and their results dropped.
    """

    requests: int
    request_bytes: int
    killed_with_client: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all connections share; `max_line` is bytes, `line_seconds` how long a line may take to arrive."""

    intake: TaskIntake
    clock: Clock
    peers: Peers
    max_line: int
    line_seconds: float
    in_flight: InFlight
    scheduler: ReadScheduler = field(init=False)

    def __post_init__(self) -> None:
        """Have them take turns."""
        object.__setattr__(self, "scheduler", ReadScheduler(self.clock))
