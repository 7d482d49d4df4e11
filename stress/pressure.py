"""Runs misbehaving clients of all kinds at once; the agent's memory must stay within its limit."""

import asyncio
import statistics
import sys
import time

from agent import Agent, running_agent
from proc import memory_kib

from .runner import CheckFailedError, RunOptions, run_check, say

CLIENTS = 100
BUDGET_MIB, SLACK_MIB = 64, 64
"""The slack is for Python itself, a share for each client, and requests that are being decoded."""
PAUSE_SECONDS = 0.02


async def pressure(options: RunOptions) -> None:
    """Run the clients; meanwhile measure the worker's memory and the response time of `true`."""
    settings = ("--max-memory", f"{BUDGET_MIB}MiB", "--drain-seconds", "0")
    async with running_agent(*settings) as agent:
        await agent.run("true")
        before = memory_kib(agent.worker, "RssAnon") / 1024
        clients = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stress.misbehaviour", str(agent.port), str(CLIENTS)), stdin=asyncio.subprocess.PIPE
        )
        try:
            highest, waits = await _watch(agent, options.seconds)
        finally:
            clients.kill()
            await clients.wait()
        say(f"pressure: {before:.0f} MiB before, {highest:.0f} at most, {BUDGET_MIB + SLACK_MIB} are allowed")
        say(f"pressure: the result of `true` took {statistics.median(waits):.2f} s, {max(waits):.2f} s at most")
        if highest > BUDGET_MIB + SLACK_MIB:
            raise CheckFailedError(f"the worker took {highest:.0f} MiB")


async def _watch(agent: Agent, seconds: float) -> tuple[float, list[float]]:
    """Return the peak in MiB, and the response times of another client in seconds."""
    highest, waits = 0.0, list[float]()
    until = time.monotonic() + seconds
    async with await agent.connect() as client:
        while time.monotonic() < until:
            begin = time.monotonic()
            if (await client.ask(command=["true"]))["exit_code"] != 0:
                raise CheckFailedError("true failed")
            waits.append(time.monotonic() - begin)
            highest = max(highest, memory_kib(agent.worker, "RssAnon") / 1024)
            await asyncio.sleep(PAUSE_SECONDS)
    return highest, waits


if __name__ == "__main__":
    run_check("pressure", pressure)
