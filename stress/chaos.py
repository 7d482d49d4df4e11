"""Injects faults of every kind under load: no result may be wrong, and nothing may remain at the end."""

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


async def chaos(options: RunOptions) -> None:
    """Inject one fault after the other, all kinds in each round, in random order."""
    chance = random.Random(options.seed)
    marker = f"chaos-{os.getpid()}-{options.seed}"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as spool_dir, tempfile.TemporaryDirectory() as folder:
        forbidden = Path(folder) / "forbidden"
        forbidden.mkdir()
        for shared in (spool_dir, folder, forbidden):
            os.chmod(shared, 0o777)  # noqa: S103, PTH101 -- for another user, only during the test
        stage = set_up(Path(spool_dir))
        # The clients run as root, even if the agent runs as another user.
        settings = ("--spool-dir", spool_dir, "--max-memory=1MiB", "--allow-user=root")
        async with running_agent(*settings, launcher=stage.launcher) as agent:
            await agent.run("true")
            before = await at_rest(agent, marker)
            scene = Scene(
                agent, Crowd(agent.port, marker, chance, Path(folder)), chance, Path(spool_dir), stage.as_its_user
            )
            probe = Probe(agent)
            probing = asyncio.create_task(probe.run())
            try:
                await scene.crowd.start(PROCESSES)
                seen = await _all_of(stage.faults, scene, probe, options.seconds)
                await scene.crowd.stop()
            finally:
                scene.crowd.kill()
                probing.cancel()
            after = await at_rest(agent, marker, before.descriptors)
            # Daemons are killed with their workers, so that their files are not counted.
            see_files(Path(folder), None)
            say(f"chaos: {_summary(seen)}")
            say(f"chaos: the clients that were not killed saw {_summary(scene.crowd.counts)}")
            say(f"chaos: attempts: {_summary(probe.counts)}; served at most {probe.longest:.1f} s after a fault")
            say(f"chaos: idle: {before} before, {after} after")
            _check(agent, probe)


async def _all_of(faults: list[Fault], scene: Scene, probe: Probe, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    # Each kind at least once, however short the run is.
    while len(seen) < len(faults) or time.monotonic() < deadline:
        for fault in scene.chance.sample(faults, len(faults)):
            if len(seen) == len(faults) and time.monotonic() >= deadline:
                break
            name = fault.__name__.replace("_", " ")
            await fault(scene)
            seen[name] += 1
            if await probe.recovery() is None:
                raise CheckFailedError(f"no request succeeded within {RECOVERY_SECONDS:g} s after: {name}")
            await asyncio.sleep(CALM_SECONDS)
            scene.crowd.see_all_well()
    return seen


def _check(agent: Agent, probe: Probe) -> None:
    if probe.counts["refused"]:
        raise CheckFailedError(f"{probe.counts['refused']} connections were refused")
    for words in ("internal error", "inside the agent"):
        for line in agent.log_text().splitlines():
            if words in line:
                raise CheckFailedError(f"in the agent's log: {line}")


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))


if __name__ == "__main__":
    run_check("chaos", chaos)
