"""Processes full of clients: started, stopped, killed and replaced, and asked in the end what they saw."""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

from .runner import CheckFailedError

STOP_SECONDS = 90.0


class Crowd:
    """Several processes of clients; `counts` is what those have seen that ended in good order."""

    def __init__(self, port: int, marker: str, chance: random.Random, folder: Path) -> None:
        """Start none yet; `folder` is for files of their tasks."""
        self._folder = folder
        self._port = port
        self._marker = marker
        self._chance = chance
        self._processes: list[asyncio.subprocess.Process] = []
        self._started = 0
        self.counts: Counter[str] = Counter()

    async def start(self, count: int) -> None:
        """Start that many more."""
        for _ in range(count):
            self._started += 1
            marker, seed = f"{self._marker}-{self._started}", self._chance.randrange(10**6)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "stress.client_process", str(self._port), marker, str(seed), str(self._folder),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self._processes.append(process)

    def one(self) -> asyncio.subprocess.Process:
        """Return one of them."""
        return self._chance.choice(self._processes)

    async def replace(self, process: asyncio.subprocess.Process) -> None:
        """Kill one and start another."""
        self._processes.remove(process)
        process.kill()
        await process.communicate()
        await self.start(1)

    def see_all_well(self) -> None:
        """Raise CheckFailedError if one has ended by itself, since that is what one does that sees something wrong."""
        for process in self._processes:
            if process.returncode is not None:
                raise CheckFailedError(f"clients ended with {process.returncode}: {process.pid}")

    async def stop(self) -> None:
        """Have them finish what they are at; raises CheckFailedError for what one has seen."""
        for process in self._processes:
            try:
                # Without input it would not close stdin before Python 3.12.
                said, _ = await asyncio.wait_for(process.communicate(b""), STOP_SECONDS)
            except TimeoutError:
                raise CheckFailedError(f"clients wait for answers, {STOP_SECONDS:g} s after the last fault") from None
            if process.returncode:
                raise CheckFailedError(said.decode(errors="replace"))
            self.counts.update(json.loads(said))

    def kill(self) -> None:
        """Leave none behind."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
