"""The command line of stress tests: exit status 0, or 1 with the failed check and the command that repeats it."""

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
    """The agent broke a guarantee; the text describes the observation."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Duration and seed of a run; `examples`, if given, limits the run instead of `seconds`."""

    seconds: float
    seed: int
    examples: int | None = None


def run_check(name: str, check: Callable[[RunOptions], Awaitable[None]], *, countable: bool = False) -> NoReturn:
    """Parse the command line, run the check, exit with its status."""
    parser = argparse.ArgumentParser(prog=f"python -m stress.{name}")
    parser.add_argument("--minutes", type=float, default=FEW_MINUTES, help=f"duration (default {FEW_MINUTES:g})")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeat the choices of a run")
    if countable:
        parser.add_argument("--examples", type=int, help="number of examples, instead of a duration")
    arguments = parser.parse_args()
    options = RunOptions(arguments.minutes * 60, arguments.seed, getattr(arguments, "examples", None))
    say(f"{name}: seed {options.seed}")
    begin = time.monotonic()
    try:
        asyncio.run(_run(check, options))
    except CheckFailedError as error:
        say(f"{name}: BROKEN after {time.monotonic() - begin:.0f} s: {error}")
        for line in "\n".join(getattr(error, "__notes__", [])).splitlines():
            say(line[:LINE_CHARACTERS])
        how_long = f"EXAMPLES={options.examples}" if options.examples else f"MINUTES={arguments.minutes:g}"
        say(f"{name}: to repeat: make {name} SEED={options.seed} {how_long}")
        sys.exit(1)
    say(f"{name}: held for {time.monotonic() - begin:.0f} s")
    sys.exit(0)


async def _run(check: Callable[[RunOptions], Awaitable[None]], options: RunOptions) -> None:
    broken: CheckFailedError | None = None
    try:
        await check(options)
    except* CheckFailedError as group:
        # Several clients of a task group may fail at once: report the first failure.
        broken = next(error for error in group.exceptions if isinstance(error, CheckFailedError))
    if broken is not None:
        raise broken


def say(text: str) -> None:
    """Print without buffering, so that a log shows the progress."""
    print(text, flush=True)
