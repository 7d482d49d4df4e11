"""Totals over a server's own processes, without those of its tasks."""

from collections.abc import Callable
from dataclasses import dataclass

from . import procfs


class ProcessEndedError(Exception):
    """One of the server's processes has died during the measurement."""


@dataclass(frozen=True)
class OwnProcesses:
    """A supervisor and its workers, or the only process of a server."""

    pids: tuple[int, ...]

    @classmethod
    def of_idle(cls, pid: int) -> "OwnProcesses":
        """Find the processes of a server that currently runs no task."""
        return cls(procfs.family(pid))

    def cpu_seconds(self) -> float:
        """Return the sum of their CPU time so far."""
        return self._sum(procfs.cpu_seconds)

    def resident_bytes(self) -> float:
        """Return the sum of their resident memory."""
        return self._sum(procfs.resident_bytes)

    def peak_bytes(self) -> float:
        """Return the sum of their individual peaks since `forget_peak`."""
        return self._sum(procfs.peak_bytes)

    def proportional_bytes(self) -> float:
        """Return the sum of their memory, with shared pages counted once."""
        return self._sum(procfs.proportional_bytes)

    def forget_peak(self) -> None:
        """Reset `peak_bytes`."""
        for pid in self.pids:
            procfs.forget_peak(pid)

    def _sum(self, read: Callable[[int], float]) -> float:
        try:
            return sum(read(pid) for pid in self.pids)
        except (FileNotFoundError, ProcessLookupError) as error:
            message = f"one of its processes has ended: {error}"
            raise ProcessEndedError(message) from error
