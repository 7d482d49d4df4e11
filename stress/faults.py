"""The faults that chaos injects into the agent and its clients; each one is undone at its end."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent import Agent
from proc import descriptors, eventually, is_alive, memory_kib

from .client_pool import Crowd
from .runner import CheckFailedError, say

RESTART_SECONDS = 10.0
FILL_BYTES = 1024 * 1024
ENOUGH = 4096
"""Descriptors and processes of an agent at full load, and the hard limit of the former."""
FEW = 5
"""Descriptors with which the supervisor cannot start a worker."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The objects that faults act on; `as_its_user` is the prefix of a command that runs as the agent's user."""

    agent: Agent
    crowd: Crowd
    chance: random.Random
    spool_dir: Path
    as_its_user: tuple[str, ...]

    @property
    def disk(self) -> Path:
        """The spool's folder in the agent's own mount namespace."""
        return Path(f"/proc/{self.agent.pid}/root") / self.spool_dir.relative_to("/")

    def moment(self) -> float:
        """Return a random duration in seconds."""
        return self.chance.uniform(0.2, 2)


Fault = Callable[[Scene], Awaitable[None]]


async def worker_killed(scene: Scene) -> None:
    """Kill the worker; the supervisor has to start another one."""
    worker = scene.agent.worker
    os.kill(worker, signal.SIGKILL)
    try:
        await eventually(lambda: not is_alive(worker) and len(scene.agent.workers) == 1, RESTART_SECONDS)
    except AssertionError:
        raise CheckFailedError(f"no worker {RESTART_SECONDS:g} s after the last was killed") from None


async def worker_stopped(scene: Scene) -> None:
    """Stop and continue the worker."""
    await _stopped(scene.agent.worker, scene.moment())


async def clients_stopped(scene: Scene) -> None:
    """Stop and continue clients, which do not read meanwhile."""
    await _stopped(scene.crowd.one().pid, scene.moment())


async def clients_killed(scene: Scene) -> None:
    """Kill clients and start others."""
    await scene.crowd.replace(scene.crowd.one())


async def few_descriptors(scene: Scene) -> None:
    """Limit the descriptors to the open ones, or a few more or less."""
    await _limited(scene, "nofile", len(descriptors(scene.agent.worker)) + scene.chance.randrange(-5, 20))


async def worker_killed_and_none_to_be_had(scene: Scene) -> None:
    """Kill the worker while the supervisor has no descriptors for another one."""
    command = (*scene.as_its_user, "prlimit", f"--pid={scene.agent.pid}")
    worker = scene.agent.worker
    await _run_checked(*command, f"--nofile={FEW}:")
    os.kill(worker, signal.SIGKILL)
    await asyncio.sleep(scene.moment())
    await _run_checked(*command, f"--nofile={ENOUGH}:")


async def little_memory(scene: Scene) -> None:
    """Limit the worker's address space to its present size, or a little more."""
    worker = scene.agent.worker
    size = memory_kib(worker, "VmSize") * 1024 + scene.chance.randrange(2**24)
    command = (*scene.as_its_user, "prlimit", f"--pid={worker}")
    await _run_checked(*command, f"--as={size}:")
    await asyncio.sleep(scene.moment())
    if worker in scene.agent.workers:
        await _run_checked(*command, "--as=unlimited:")
    else:
        # The C library aborts a process if an essential allocation fails; the supervisor has started another worker.
        say("chaos: a worker died for lack of memory")


async def few_processes(scene: Scene) -> None:
    """Allow no more processes."""
    await _limited(scene, "nproc", 1)


async def full_disk(scene: Scene) -> None:
    """Leave no space for the spool."""
    file = scene.disk / "fill"
    try:
        with file.open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(FILL_BYTES)):
                pass
        await asyncio.sleep(scene.moment())
    finally:
        file.unlink()


async def _stopped(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


async def _limited(scene: Scene, name: str, soft: int) -> None:
    # By a command, since only the agent's own user is permitted if root lacks CAP_SYS_RESOURCE.
    command = (*scene.as_its_user, "prlimit", f"--pid={scene.agent.worker}")
    await _run_checked(*command, f"--{name}={soft}:")
    await asyncio.sleep(scene.moment())
    await _run_checked(*command, f"--{name}={ENOUGH}:")


async def _run_checked(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise RuntimeError(f"{command} failed")
