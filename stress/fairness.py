"""Measures the response time of one client's `true` while others flood the agent, for every kind of flood."""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncGenerator

from agent import Agent, running_agent

from .floods import FLOODS
from .runner import CheckFailedError, RunOptions, run_check, say

MOST_MS = {1: 20.0, 10: 100.0}
"""The maximum median response time of another client's `true`, by the number of flooding clients."""
WARM_UP_SECONDS = 0.5
LEAST_SAMPLES = 5


async def fairness(options: RunOptions) -> None:
    """Measure each flood with one client and with ten; print all figures, then check them."""
    broken: list[str] = []
    seconds = options.seconds / (len(FLOODS) * len(MOST_MS))
    say(f"| {'flood':34} | 1 client: p50, max ms | 10 clients: p50, max ms |\n| --- | --- | --- |")
    async with running_agent() as agent:
        quiet = await _waits(agent, 1.0)
        say(f"| {'nothing':34} | {statistics.median(quiet):.1f}, {max(quiet):.1f} | |")
        for kind in FLOODS:
            figures: list[str] = []
            for clients, most in MOST_MS.items():
                async with _flooding(kind, agent, clients):
                    await asyncio.sleep(WARM_UP_SECONDS)
                    waits = await _waits(agent, seconds)
                median = statistics.median(waits)
                figures.append(f"{median:.1f}, {max(waits):.1f}")
                if median > most:
                    broken.append(f"{kind}, {clients} clients: {median:.0f} ms, {most:.0f} are allowed")
            say(f"| {kind:34} | {' | '.join(figures)} |")
        await agent.run("true")
    if broken:
        raise CheckFailedError("; ".join(broken))


@contextlib.asynccontextmanager
async def _flooding(kind: str, agent: Agent, clients: int) -> AsyncGenerator[None]:
    flood = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stress.floods", kind, str(agent.port), str(clients), stdin=asyncio.subprocess.PIPE
    )
    try:
        yield
    finally:
        flood.kill()
        await flood.wait()


async def _waits(agent: Agent, seconds: float) -> list[float]:
    """Send requests one after another on one connection; return the response times in milliseconds."""
    waits: list[float] = []
    until = time.monotonic() + seconds
    async with await agent.connect() as client:
        while time.monotonic() < until or len(waits) < LEAST_SAMPLES:
            begin = time.monotonic()
            result = await client.ask(command=["true"])
            waits.append((time.monotonic() - begin) * 1000)
            if result["exit_code"] != 0:
                raise CheckFailedError(f"the result of true was {result}")
    return waits


if __name__ == "__main__":
    run_check("fairness", fairness)
