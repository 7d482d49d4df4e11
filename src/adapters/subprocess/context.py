"""What all processes share: the parts of the adapter that they use, and the settings that apply to them."""

import asyncio
from dataclasses import dataclass
from enum import Enum

from ...domain.ports.clock import Clock
from .containment import Containment
from .exit_watcher import ExitWatcher
from .output.pipe_discarder import PipeDiscarder
from .output.spool import Spool
from .poller import Poller


class Leftovers(Enum):
    """What happens to the remaining processes of a command that has ended by itself."""

    KEEP = "keep"
    """Nothing is killed."""
    KILL = "kill"
    """The command's process group is killed; a process that has left it on purpose, a daemon, stays."""
    KILL_ALL = "kill-all"
    """Daemons are killed too, and once more when the agent stops."""


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What all processes share; `linger` is in seconds, `max_output` in bytes for each task (None: no limit)."""

    clock: Clock
    containment: Containment
    discarder: PipeDiscarder
    leftovers: Leftovers
    poller: Poller
    exit_watcher: ExitWatcher
    spool: Spool
    loop: asyncio.AbstractEventLoop
    linger: float
    max_output: int | None
