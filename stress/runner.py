"""How a stress test is asked for and how it ends: figures and exit status 0, or what broke, how to repeat it, and 1."""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

FEW_MINUTES = 5.0
LINE_CHARACTERS = 200


class CheckFailedError(Exception):
    """The agent did not do what it promises; the text says what was seen."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How long to go on and from which seed; `examples`, where given, counts instead of time."""

    seconds: float
    seed: int
    examples: int | None = None


def run_check(name: str, check: Callable[[RunOptions], Awaitable[None]], *, countable: bool = False) -> NoReturn:
    """Read the command line, run it, exit with its status."""
    parser = argparse.ArgumentParser(prog=f"python -m stress.{name}")
    parser.add_argument("--minutes", type=float, default=FEW_MINUTES, help=f"how long (default {FEW_MINUTES:g})")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeat the choices of a run")
    if countable:
        parser.add_argument("--examples", type=int, help="how many, instead of how long")
    options = parser.parse_args()
    order = RunOptions(options.minutes * 60, options.seed, getattr(options, "examples", None))
    say(f"{name}: seed {order.seed}")
    begin = time.monotonic()
    try:
        asyncio.run(_run(check, order))
    except CheckFailedError as error:
        say(f"{name}: BROKEN after {time.monotonic() - begin:.0f} s: {error}")
        for line in "\n".join(getattr(error, "__notes__", [])).splitlines():
            say(line[:LINE_CHARACTERS])
        how_long = f"EXAMPLES={order.examples}" if order.examples else f"MINUTES={options.minutes:g}"
        say(f"{name}: to repeat: make {name} SEED={order.seed} {how_long}")
        sys.exit(1)
    say(f"{name}: held for {time.monotonic() - begin:.0f} s")
    sys.exit(0)


async def _run(check: Callable[[RunOptions], Awaitable[None]], order: RunOptions) -> None:
    broken: CheckFailedError | None = None
    try:
        await check(order)
    except* CheckFailedError as group:
        # The first of those that clients in a task group have seen at once.
        broken = next(error for error in group.exceptions if isinstance(error, CheckFailedError))
    if broken is not None:
        raise broken


def say(text: str) -> None:
    """Print at once, so that a log shows how far it got."""
    print(text, flush=True)
