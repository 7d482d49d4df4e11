"""Faults of every kind under load: each must pass without a wrong answer, and nothing may be left in the end."""

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from agent import Agent, running_agent

from .availability import RECOVERY_SECONDS, Probe
from .client_pool import Crowd
from .faults import Fault, Scene
from .leak_check import at_rest, see_files
from .privileges import set_up
from .runner import CheckFailedError, RunOptions, run_check, say

PROCESSES = 3
CALM_SECONDS = 1.0


async def chaos(order: RunOptions) -> None:
    """One fault after the other, all kinds in turn, in an order by chance."""
    chance = random.Random(order.seed)
    marker = f"chaos-{os.getpid()}-{order.seed}"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as spool_dir, tempfile.TemporaryDirectory() as folder:
        forbidden = Path(folder) / "forbidden"
        forbidden.mkdir()
        for shared in (spool_dir, folder, forbidden):
            os.chmod(shared, 0o777)  # noqa: S103, PTH101 -- for another user, and over at once
        stage = set_up(Path(spool_dir))
        # The clients are root's where the agent is another user's.
        options = ("--spool-dir", spool_dir, "--max-held=1MiB", "--allow-user=root")
        async with running_agent(*options, launcher=stage.launcher) as agent:
            await agent.run("true")
            before = await at_rest(agent, marker)
            scene = Scene(
                agent, Crowd(agent.port, marker, chance, Path(folder)), chance, Path(spool_dir), stage.as_its_user
            )
            probe = Probe(agent)
            knocking = asyncio.create_task(probe.run())
            try:
                await scene.crowd.start(PROCESSES)
                seen = await _all_of(stage.faults, scene, probe, order.seconds)
                await scene.crowd.stop()
            finally:
                scene.crowd.kill()
                knocking.cancel()
            after = await at_rest(agent, marker, before.descriptors)
            # Where workers are killed, daemons die with them.
            see_files(Path(folder), None)
            say(f"chaos: {_told(seen)}")
            say(f"chaos: the clients that were not killed saw {_told(scene.crowd.counts)}")
            say(f"chaos: knocks: {_told(probe.counts)}; served at most {probe.longest:.1f} s after a fault")
            say(f"chaos: at rest: {before} before, {after} after")
            _judge(agent, probe)


async def _all_of(faults: list[Fault], scene: Scene, probe: Probe, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    # Each kind at least once, however short it is to be.
    while len(seen) < len(faults) or time.monotonic() < deadline:
        for fault in scene.chance.sample(faults, len(faults)):
            if len(seen) == len(faults) and time.monotonic() >= deadline:
                break
            name = fault.__name__.replace("_", " ")
            await fault(scene)
            seen[name] += 1
            if await probe.recovery() is None:
                raise CheckFailedError(f"nobody is served {RECOVERY_SECONDS:g} s after: {name}")
            await asyncio.sleep(CALM_SECONDS)
            scene.crowd.see_all_well()
    return seen


def _judge(agent: Agent, probe: Probe) -> None:
    if probe.counts["refused"]:
        raise CheckFailedError(f"{probe.counts['refused']} connections were refused")
    for words in ("internal error", "inside the agent"):
        for line in agent.log_text().splitlines():
            if words in line:
                raise CheckFailedError(f"in the agent's log: {line}")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))


if __name__ == "__main__":
    run_check("chaos", chaos)
