"""The live processes of one task that a process-tree scan has found."""

from dataclasses import dataclass, field

CLEAN_SCANS = 2
"""A process whose parent exits during a scan moves to a part that was scanned already: one clean scan is no proof."""

STUBBORN = "SIGKILL does not end it: it hangs in the kernel, or forks faster than it is found"
OTHER_USER = "may not be signalled: it runs as another user"
UNKNOWN = "cannot be told whose it is: it runs as another user, and /proc hides it"


@dataclass(slots=True)
class Survivors:
    """What one scan found of one task: the pids found alive, even if killed then, and why one may survive."""

    found_alive: list[int] = field(default_factory=list[int])
    inconclusive: bool = False
    """An adopted process had ended since the last scan, and may have forked before; or the scan has failed."""
    reason: str = STUBBORN

    @property
    def clean(self) -> bool:
        """Whether the scan found no process that is alive or could have forked one."""
        return not self.found_alive and not self.inconclusive
