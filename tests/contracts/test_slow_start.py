"""What the port promises of a command that takes long to start, asked of every TaskExecutor that there is."""

import asyncio
from collections import Counter

import pytest
from executor_driver import ExecutorDriver
from proc import eventually

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Refused, TimedOut
from execwire.domain.task import TaskRequest

LATE_SECONDS = 1.0
"""Generous; what takes long takes many times that."""


async def test_its_timeout_counts_from_the_attempt(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        before = driver.clock.monotonic_seconds()
        execution = await driver.executor.execute(TaskRequest(command, 300))
    assert execution.outcome == TimedOut()
    assert 0.29 <= execution.ended_at - before < 0.3 + LATE_SECONDS
    assert execution.output.size == 0
    assert not driver.runs(name)


async def test_it_holds_up_no_other_call(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command, 400)))
        async with asyncio.timeout(LATE_SECONDS):
            for _ in range(3):
                await driver.executor.execute(TaskRequest(driver.exits_with(0)))
        assert (await starting).outcome == TimedOut()


async def test_it_is_stopped_like_what_runs(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command), control))
        await asyncio.sleep(0.1)
        control.stop(Refused("enough"), 0.1)
        async with asyncio.timeout(LATE_SECONDS):
            assert (await starting).outcome == Refused("enough")
    assert not driver.runs(name)


@pytest.mark.parametrize("seconds", [0, 0.001, 0.01, 0.1])
async def test_cancelling_it_leaves_nothing(driver: ExecutorDriver, name: str, seconds: float) -> None:
    await driver.executor.execute(TaskRequest(driver.exits_with(0)))
    with driver.takes_long_to_start(name) as command:
        before = driver.what_is_open()
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command)))
        await asyncio.sleep(seconds)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        # What belonged to the start before may have been closed meanwhile.
        assert Counter(driver.what_is_open()) <= Counter(before)
    assert not driver.runs(name)


async def test_when_it_has_started_it_is_like_any_other(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command, 60_000)))
        await asyncio.sleep(0.1)
        assert not starting.done()
    if driver.runs(name):
        # The fake's start and its run are the same.
        starting.cancel()
        await eventually(starting.done)
        return
    execution = await starting
    assert [chunk async for chunk in execution.output.chunks()] == [f"{name}\n".encode()]
    execution.output.close()
