"""A pool of client processes that are started, stopped, killed and replaced, and report their counts at the end."""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

from .runner import CheckFailedError

STOP_SECONDS = 90.0


class Crowd:
    """Several client processes; `counts` is the sum of the counts of those that ended normally."""

    def __init__(self, port: int, marker: str, chance: random.Random, folder: Path) -> None:
        """`folder` is for files of their tasks."""
        self._folder = folder
        self._port = port
        self._marker = marker
        self._chance = chance
        self._processes: list[asyncio.subprocess.Process] = []
        self._started = 0
        self.counts: Counter[str] = Counter()

    async def start(self, count: int) -> None:
        """Start `count` additional processes."""
        for _ in range(count):
            self._started += 1
            marker, seed = f"{self._marker}-{self._started}", self._chance.randrange(10**6)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "stress.client_process", str(self._port), marker, str(seed), str(self._folder),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self._processes.append(process)

    def one(self) -> asyncio.subprocess.Process:
        """Return a random one of them."""
        return self._chance.choice(self._processes)

    async def replace(self, process: asyncio.subprocess.Process) -> None:
        """Kill one and start another."""
        self._processes.remove(process)
        process.kill()
        await process.communicate()
        await self.start(1)

    def see_all_well(self) -> None:
        """Raise CheckFailedError if a process has exited by itself, as it does when a check fails."""
        for process in self._processes:
            if process.returncode is not None:
                raise CheckFailedError(f"clients ended with {process.returncode}: {process.pid}")

    async def stop(self) -> None:
        """Let them finish their conversations; raises CheckFailedError if a check in one has failed."""
        for process in self._processes:
            try:
                # Before Python 3.12, communicate() without input does not close stdin.
                output, _ = await asyncio.wait_for(process.communicate(b""), STOP_SECONDS)
            except TimeoutError:
                raise CheckFailedError(
                    f"clients still wait for results {STOP_SECONDS:g} s after the last fault"
                ) from None
            if process.returncode:
                raise CheckFailedError(output.decode(errors="replace"))
            self.counts.update(json.loads(output))

    def kill(self) -> None:
        """Kill all that still run."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
