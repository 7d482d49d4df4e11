"""Runs full load of every kind for any duration; afterwards the agent must be in its initial state."""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent import Agent, running_agent

from .bad_clients import MISBEHAVIOUR
from .conversation import Load
from .leak_check import Level, at_rest, see_files
from .runner import CheckFailedError, RunOptions, run_check, say
from .task_mix import WRITING_DAEMON
from .workload import client

CONNECTIONS = 64
WARM_UP_PART, MOST_WARM_UP_SECONDS = 0.4, 120.0
MEMORY_PART = 1.10
SLACK_KIB = 24 * 1024
"""Additional memory that may remain: after a peak, pages stay that contain any small live object."""


async def soak(options: RunOptions) -> None:
    """Warm up, idle, load, idle; compare both idle states."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as spool_dir, tempfile.TemporaryDirectory() as folder:
        async with running_agent("--spool-dir", spool_dir, "--max-memory=64MiB") as agent:
            worker = agent.worker
            marker = f"soak-{os.getpid()}-{options.seed}"
            load = Load(agent.port, marker, random.Random(options.seed), Path(folder), as_root=os.geteuid() == 0)
            load.forbidden.mkdir()
            warm_up = min(options.seconds * WARM_UP_PART, MOST_WARM_UP_SECONDS)
            await full_load(load, warm_up)
            before = await at_rest(agent, load.marker)
            say(f"soak: warm after {warm_up:.0f} s and {answered(load)} tasks: {before}")
            count, begin = answered(load), time.monotonic()
            await full_load(load, options.seconds - warm_up)
            rate = (answered(load) - count) / (time.monotonic() - begin)
            after = await at_rest(agent, load.marker, before.descriptors)
            say(f"soak: {', '.join(f'{number} {kind}' for kind, number in sorted(load.counts.items()))}")
            say(f"soak: {answered(load)} tasks, {rate:.0f} tasks/s over {CONNECTIONS} connections; idle: {after}")
            see_files(load.folder, load.counts[WRITING_DAEMON])
            _check(agent, worker, after, before.memory_kib * MEMORY_PART + SLACK_KIB)


async def full_load(load: Load, seconds: float) -> None:
    """Run all clients for `seconds`."""
    until = _expired_after(seconds)
    async with asyncio.TaskGroup() as clients:
        for _ in range(CONNECTIONS):
            clients.create_task(client(load, until))


def answered(load: Load) -> int:
    """Return the number of results."""
    ways = ("connections", "pipelined", "under ids", "read slowly", *MISBEHAVIOUR)
    return sum(number for kind, number in load.counts.items() if kind not in ways)


def _expired_after(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline


def _check(agent: Agent, worker: int, after: Level, most_kib: float) -> None:
    if agent.worker != worker:
        raise CheckFailedError("the worker has died")
    if after.memory_kib > most_kib:
        raise CheckFailedError(f"memory grew to {after.memory_kib} KiB, {most_kib:.0f} are allowed")
    for line in agent.log_text().splitlines():
        if '"level": "error"' in line:
            raise CheckFailedError(f"in the agent's log: {line}")


if __name__ == "__main__":
    run_check("soak", soak)
