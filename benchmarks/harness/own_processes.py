"""A server's own processes, added up; those of the tasks that it runs are never among them."""

from collections.abc import Callable
from dataclasses import dataclass

from . import procfs


class ProcessEndedError(Exception):
    """One of the server's processes has died under measurement."""


@dataclass(frozen=True)
class OwnProcesses:
    """A supervisor and its workers, or the one process that does it all."""

    pids: tuple[int, ...]

    @classmethod
    def of_idle(cls, pid: int) -> "OwnProcesses":
        """Find the family of a server that runs no task at the moment."""
        return cls(procfs.family(pid))

    def cpu_seconds(self) -> float:
        """Add up their CPU time so far."""
        return self._sum(procfs.cpu_seconds)

    def resident_bytes(self) -> float:
        """Add up what they have in memory."""
        return self._sum(procfs.resident_bytes)

    def peak_bytes(self) -> float:
        """Add up the most they have had since `forget_peak`, each at its own worst moment."""
        return self._sum(procfs.peak_bytes)

    def proportional_bytes(self) -> float:
        """Add up what they have in memory, pages that they share counted once."""
        return self._sum(procfs.proportional_bytes)

    def forget_peak(self) -> None:
        """Let `peak_bytes` start again."""
        for pid in self.pids:
            procfs.forget_peak(pid)

    def _sum(self, read: Callable[[int], float]) -> float:
        try:
            return sum(read(pid) for pid in self.pids)
        except (FileNotFoundError, ProcessLookupError) as error:
            message = f"one of its processes has ended: {error}"
            raise ProcessEndedError(message) from error
