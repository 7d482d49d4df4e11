"""What all processes have in common: the parts of the adapter that they use, and what an operator decided of them."""

from dataclasses import dataclass
from enum import Enum

from ...domain.ports.clock import Clock
from .containment import Containment
from .exit_watcher import ExitWatcher
from .output.pipe_discarder import PipeDiscarder
from .output.spool import Spool
from .poller import Poller


class Leftovers(Enum):
    """What becomes of processes that a command leaves behind when it has ended by itself."""

    KEEP = "keep"
    """Nothing is killed."""
    KILL = "kill"
    """Its process group is killed; what has left that on purpose, a daemon, stays."""
    KILL_ALL = "kill-all"
    """Daemons are killed too, then and at the agent's stop."""


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What all processes share; `linger` is seconds, `max_output` bytes of one task (None: no limit)."""

    clock: Clock
    containment: Containment
    discarder: PipeDiscarder
    leftovers: Leftovers
    poller: Poller
    exit_watcher: ExitWatcher
    spool: Spool
    linger: float
    max_output: int | None
