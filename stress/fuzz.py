"""Sends data of every kind on several connections at once; the results must be those of the protocol's model."""

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
    "--max-memory=1MiB",
)


async def fuzz(options: RunOptions) -> None:
    """Run rounds of examples, each with its own seed."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_agent(*OPTIONS) as agent:
            context = FuzzContext(
                agent.port, agent.worker, Programs(Path(folder), options.seed), f"fuzz-{os.getpid()}-{options.seed}"
            )
            await agent.run("true")
            before = descriptors(agent.worker)
            deadline = time.monotonic() + options.seconds
            number = 0
            while (
                time.monotonic() < deadline
                if options.examples is None
                else context.counts["examples"] < options.examples
            ):
                try:
                    await asyncio.to_thread(_round, context, options.seed + number)
                except Flaky as error:
                    causes: tuple[Exception, ...] = getattr(error, "exceptions", (error,))
                    what = "; ".join(map(repr, causes))
                    broken = CheckFailedError(f"round {options.seed + number}, not reproducible: {what}")
                    broken.add_note("the end of the agent's log:\n" + agent.log_text()[-LOG_CHARACTERS:])
                    raise broken from error
                except CheckFailedError as error:
                    error.add_note(f"round {number}: make fuzz SEED={options.seed + number} EXAMPLES={ROUND_EXAMPLES}")
                    error.add_note("the end of the agent's log:\n" + agent.log_text()[-LOG_CHARACTERS:])
                    raise
                await _check_idle(agent, before)
                number += 1
            say(f"fuzz: {', '.join(f'{count} {what}' for what, count in context.counts.items())}")


def _round(context: FuzzContext, number: int) -> None:
    # Caused by the lines that exceed the limit, whose size is intended.
    warnings.filterwarnings("ignore", "Generating overly large repr")
    run_state_machine_as_test(
        seed(number)(machine(context)),
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


async def _check_idle(agent: Agent, before: list[str]) -> None:
    try:
        await eventually(lambda: len(descriptors(agent.worker)) <= len(before))
        await eventually(lambda: not zombies(agent.worker) and not zombies(agent.pid))
    except AssertionError:
        raise CheckFailedError(f"idle: {descriptors(agent.worker)} open, zombies {zombies(agent.worker)}") from None


if __name__ == "__main__":
    run_check("fuzz", fuzz, countable=True)
