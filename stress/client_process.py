"""Clients in a separate process, so that they can be stopped and killed.

`python -m stress.client_process PORT MARKER SEED FOLDER` exits when its stdin ends; prints its counts as JSON, or the
failed check, and then exits with 1.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from .conversation import Load
from .runner import CheckFailedError
from .workload import client

CONNECTIONS = 16


async def _talk(port: int, marker: str, seed: int, folder: Path) -> Load:
    load = Load(port, marker, random.Random(seed), folder, tolerant=True)
    stopped = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with asyncio.TaskGroup() as clients:
        for _ in range(CONNECTIONS):
            clients.create_task(client(load, stopped.done))
    return load


def main() -> None:
    """Run clients until stdin ends."""
    port, marker, seed, folder = sys.argv[1:]
    try:
        load = asyncio.run(_talk(int(port), marker, int(seed), Path(folder)))
    except* CheckFailedError as group:
        print(group.exceptions[0], flush=True)
        # Without waiting for the thread that reads stdin.
        os._exit(1)
    print(json.dumps(load.counts))


if __name__ == "__main__":
    main()
