"""Hazard 30: the wall clock is set while tasks run; their durations and timeouts are not affected."""

import asyncio
import itertools
import resource
import time

from execwire.adapters.clock import SystemClock
from execwire.adapters.subprocess.executor import SubprocessExecutor
from execwire.app.agent.container import Container
from execwire.app.settings.model import Settings
from execwire.domain.task import TaskRequest

YEAR = 365 * 24 * 3600.0


class JumpingClock(SystemClock):
    """A wall clock that is set after each reading: far ahead, far back, to its initial time."""

    def __init__(self) -> None:
        self.settings = itertools.cycle((1.8e9, 1.8e9 + YEAR, 1.0, 1.8e9 - YEAR))

    def unix_seconds(self) -> float:
        return next(self.settings)


async def test_only_executed_at_follows_wall_clock_jumps() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    container = Container(clock=JumpingClock(), settings=Settings(), descriptor_limit=limit)
    executor = container.executor()
    assert isinstance(executor, SubprocessExecutor)
    async with executor:
        runner = container.runner()
        began = time.monotonic()
        ended = await asyncio.gather(*(runner.run(TaskRequest(("sleep", "0.2"))) for _ in range(4)))
        timed_out = await asyncio.gather(*(runner.run(TaskRequest(("sleep", "60"), 200)) for _ in range(4)))
        elapsed_ms = (time.monotonic() - began) * 1000
    assert {result.executed_at for result in ended} == {1_800_000_000, 1_831_536_000, 1, 1_768_464_000}
    assert {result.error for result in ended} == {""}
    assert {result.error for result in timed_out} == {"timeout exceeded"}
    for result in (*ended, *timed_out):
        assert 198 <= result.duration_ms <= elapsed_ms
        result.output.close()
