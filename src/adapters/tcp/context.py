"""What all connections share: the use case, peer identification, and the limits of each connection."""

from dataclasses import dataclass, field

from ...domain.memory import MemoryBudget
from ...domain.ports.clock import Clock
from ...domain.ports.intake import TaskIntake
from ...domain.ports.overflow import OverflowStore
from ..rate_limited_log import RateLimitedLog
from .peers import Peers
from .read_scheduler import ReadScheduler

UNLIMITED_BYTES = 2**62
MEMORY_USED_UP = "memory is used up: clients that hold much of it are not read; --max-memory allows more"
STORE_FULL = "answers that clients do not read stay in memory: the spool takes no more; see --max-spool and --spool-dir"


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """How many requests one client may have in flight.

    After a disconnect their tasks are stopped if `cancel_on_disconnect`, else they finish; results are dropped.
    """

    requests: int
    cancel_on_disconnect: bool = True


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """What all connections share; `max_line` is in bytes, `line_seconds` limits how long a line may take to arrive."""

    intake: TaskIntake
    clock: Clock
    peers: Peers
    max_line: int
    line_seconds: float
    in_flight: InFlightLimits
    memory: MemoryBudget = field(default_factory=lambda: MemoryBudget(UNLIMITED_BYTES))
    store: OverflowStore | None = None
    scheduler: ReadScheduler = field(init=False)
    memory_log: RateLimitedLog = field(init=False)
    store_log: RateLimitedLog = field(init=False)

    def __post_init__(self) -> None:
        """Create the read scheduler and the rate-limited logs that all connections share."""
        seconds = self.clock.monotonic_seconds
        object.__setattr__(self, "scheduler", ReadScheduler(self.clock))
        object.__setattr__(self, "memory_log", RateLimitedLog(MEMORY_USED_UP, seconds))
        object.__setattr__(self, "store_log", RateLimitedLog(STORE_FULL, seconds))
