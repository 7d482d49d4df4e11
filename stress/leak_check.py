"""What must be as it was when the load has gone: processes, descriptors, spool files, memory."""

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
    """An agent at rest: how many descriptors its worker has, and how much memory."""

    descriptors: int
    memory_kib: int

    def __str__(self) -> str:
        """Show it as figures."""
        return f"{self.descriptors} descriptors, {self.memory_kib / 1024:.1f} MiB"


async def at_rest(agent: Agent, marker: str, most_descriptors: int | None = None) -> Level:
    """Wait until nothing of the tasks is left; raises CheckFailedError for what remains.

    `most_descriptors`: how many the worker may have open.
    """
    worker = agent.worker
    await _see_none("still running", lambda: alive_with(marker))
    await _see_none("zombies", lambda: [*zombies(worker), *zombies(agent.pid)])
    await _see_none("spool files", lambda: [name for name in descriptors(worker) if name.endswith("(deleted)")])
    if most_descriptors is not None:
        await _see_none(
            f"more than {most_descriptors} descriptors",
            lambda: descriptors(worker) if len(descriptors(worker)) > most_descriptors else [],
        )
    return Level(len(descriptors(worker)), await _lowest_memory(worker))


def see_files(folder: Path, daemons: int | None) -> None:
    """See that nothing was run that must not be, and that `daemons` of them (None: any) wrote to the end."""
    if forbidden := list((folder / "forbidden").iterdir()):
        raise CheckFailedError(f"run on a connection that began otherwise: {forbidden}")
    done = sum(path.is_file() for path in folder.iterdir())
    if daemons is not None and done != daemons:
        raise CheckFailedError(f"of {daemons} daemons {done} could write to their end")


async def _lowest_memory(pid: int) -> int:
    """Watch for a while: what is free goes back to the system within seconds of the last task's end."""
    deadline = time.monotonic() + SETTLE_SECONDS
    lowest = memory_kib(pid)
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        lowest = min(lowest, memory_kib(pid))
    return lowest


async def _see_none(what: str, found: Callable[[], list[int] | list[str]]) -> None:
    deadline = time.monotonic() + REST_SECONDS
    while remains := found():
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{what} {REST_SECONDS:g} s after the load: {remains}")
        await asyncio.sleep(0.05)
