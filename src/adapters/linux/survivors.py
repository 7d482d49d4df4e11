"""What a walk over the processes of this agent sees of one task, and what that proves."""

from dataclasses import dataclass, field

CLEAN_SCANS = 2
"""A process whose parent dies during a walk moves to where the walk has been, so one clean walk proves nothing."""

STUBBORN = "SIGKILL does not end it: it hangs in the kernel, or forks faster than it is found"
OTHER_USER = "may not be signalled: it runs as another user"
UNKNOWN = "cannot be told whose it is: it runs as another user, and /proc hides it"


@dataclass(slots=True)
class Survivors:
    """What one walk saw of one task: the pids that were alive, and why one of them could not be killed."""

    alive: list[int] = field(default_factory=list[int])
    reaped_any: bool = False
    """An adopted process had died since the last walk, perhaps not without having forked."""
    reason: str = STUBBORN

    @property
    def clean(self) -> bool:
        """Whether there was nothing that could have got away in the meantime."""
        return not self.alive and not self.reaped_any
