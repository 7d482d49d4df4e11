"""Checks that nothing remains after the load: processes, descriptors, spool files, memory."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent import Agent
from proc import alive_with, descriptors, memory_kib, zombies

from .runner import CheckFailedError

REST_SECONDS = 30.0
SETTLE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Level:
    """Descriptors and memory of the worker of an idle agent."""

    descriptors: int
    memory_kib: int

    def __str__(self) -> str:
        """Return both figures as text."""
        return f"{self.descriptors} descriptors, {self.memory_kib / 1024:.1f} MiB"


async def at_rest(agent: Agent, marker: str, most_descriptors: int | None = None) -> Level:
    """Wait until nothing of the tasks remains; raises CheckFailedError after a timeout.

    `most_descriptors`: the maximum of open descriptors of the worker.
    """
    worker = agent.worker
    await _check_none("still running", lambda: alive_with(marker))
    await _check_none("zombies", lambda: [*zombies(worker), *zombies(agent.pid)])
    await _check_none("spool files", lambda: [name for name in descriptors(worker) if name.endswith("(deleted)")])
    if most_descriptors is not None:
        await _check_none(
            f"more than {most_descriptors} descriptors",
            lambda: descriptors(worker) if len(descriptors(worker)) > most_descriptors else [],
        )
    return Level(len(descriptors(worker)), await _lowest_memory(worker))


def see_files(folder: Path, daemons: int | None) -> None:
    """Check that no forbidden command was run, and that `daemons` daemons (None: any) finished writing."""
    if forbidden := list((folder / "forbidden").iterdir()):
        raise CheckFailedError(f"run on a connection that began with another protocol: {forbidden}")
    done = sum(path.is_file() for path in folder.iterdir())
    if daemons is not None and done != daemons:
        raise CheckFailedError(f"of {daemons} daemons {done} could finish writing")


async def _lowest_memory(pid: int) -> int:
    """Return the minimum over some seconds: free memory is returned to the system soon after the last task."""
    deadline = time.monotonic() + SETTLE_SECONDS
    lowest = memory_kib(pid)
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        lowest = min(lowest, memory_kib(pid))
    return lowest


async def _check_none(what: str, found: Callable[[], list[int] | list[str]]) -> None:
    deadline = time.monotonic() + REST_SECONDS
    while remains := found():
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{what} {REST_SECONDS:g} s after the load: {remains}")
        await asyncio.sleep(0.05)
