"""Bytes in, of every kind, on several connections at once; out must come what the model of the contract says."""

import asyncio
import os
import tempfile
import time
import warnings
from pathlib import Path

from agent import Agent, running_agent
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from proc import descriptors, eventually, zombies

from .commands import MAX_OUTPUT, Programs
from .fuzz_case import FuzzContext
from .model import MAX_LINE
from .runner import CheckFailedError, RunOptions, run_check, say
from .state_machine import machine

ROUND_EXAMPLES = 20
STEPS = 30
LOG_CHARACTERS = 2000
OPTIONS = (
    f"--max-line={MAX_LINE}",
    f"--max-output={MAX_OUTPUT}",
    "--max-in-flight=24",
    "--max-held=1MiB",
)


async def fuzz(order: RunOptions) -> None:
    """Go on in rounds, each from a seed of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_agent(*OPTIONS) as agent:
            bench = FuzzContext(
                agent.port, agent.worker, Programs(Path(folder), order.seed), f"fuzz-{os.getpid()}-{order.seed}"
            )
            await agent.run("true")
            before = descriptors(agent.worker)
            deadline = time.monotonic() + order.seconds
            number = 0
            while time.monotonic() < deadline if order.examples is None else bench.counts["examples"] < order.examples:
                try:
                    await asyncio.to_thread(_round, bench, order.seed + number)
                except Flaky as error:
                    causes: tuple[Exception, ...] = getattr(error, "exceptions", (error,))
                    what = "; ".join(map(repr, causes))
                    broken = CheckFailedError(f"round {order.seed + number}, seen once and not again: {what}")
                    broken.add_note("the end of the agent's log:\n" + agent.log_text()[-LOG_CHARACTERS:])
                    raise broken from error
                except CheckFailedError as error:
                    error.add_note(f"round {number}: make fuzz SEED={order.seed + number} EXAMPLES={ROUND_EXAMPLES}")
                    error.add_note("the end of the agent's log:\n" + agent.log_text()[-LOG_CHARACTERS:])
                    raise
                await _see_it_rest(agent, before)
                number += 1
            say(f"fuzz: {', '.join(f'{count} {what}' for what, count in bench.counts.items())}")


def _round(bench: FuzzContext, number: int) -> None:
    # It means the lines over the limit, whose size is their point.
    warnings.filterwarnings("ignore", "Generating overly large repr")
    run_state_machine_as_test(
        seed(number)(machine(bench)),
        settings=settings(
            max_examples=ROUND_EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )


async def _see_it_rest(agent: Agent, before: list[str]) -> None:
    try:
        await eventually(lambda: len(descriptors(agent.worker)) <= len(before))
        await eventually(lambda: not zombies(agent.worker) and not zombies(agent.pid))
    except AssertionError:
        raise CheckFailedError(f"at rest: {descriptors(agent.worker)} open, zombies {zombies(agent.worker)}") from None


if __name__ == "__main__":
    run_check("fuzz", fuzz, countable=True)
