"""The contract of TaskExecutor for a command that takes long to start, tested with every implementation."""

import asyncio
from collections import Counter

import pytest
from executor_driver import ExecutorDriver
from proc import eventually

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Refused, TimedOut
from execwire.domain.task import TaskRequest

LATE_SECONDS = 1.0
"""A generous bound; the slow start takes many times that."""


async def test_timeout_counts_from_the_attempt_to_start(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        before = driver.clock.monotonic_seconds()
        execution = await driver.executor.execute(TaskRequest(command, 300))
    assert execution.outcome == TimedOut()
    assert 0.29 <= execution.ended_at - before < 0.3 + LATE_SECONDS
    assert execution.output.size == 0
    assert not driver.runs(name)


async def test_slow_start_delays_no_other_call(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command, 400)))
        async with asyncio.timeout(LATE_SECONDS):
            for _ in range(3):
                await driver.executor.execute(TaskRequest(driver.exits_with(0)))
        assert (await starting).outcome == TimedOut()


async def test_task_that_is_starting_can_be_stopped(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command), control))
        await asyncio.sleep(0.1)
        control.stop(Refused("enough"), 0.1)
        async with asyncio.timeout(LATE_SECONDS):
            assert (await starting).outcome == Refused("enough")
    assert not driver.runs(name)


@pytest.mark.parametrize("seconds", [0, 0.001, 0.01, 0.1])
async def test_cancelling_a_slow_start_leaves_nothing(driver: ExecutorDriver, name: str, seconds: float) -> None:
    await driver.executor.execute(TaskRequest(driver.exits_with(0)))
    with driver.takes_long_to_start(name) as command:
        before = driver.what_is_open()
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command)))
        await asyncio.sleep(seconds)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        # Descriptors of the previous start may have been closed in the meantime.
        assert Counter(driver.what_is_open()) <= Counter(before)
    assert not driver.runs(name)


async def test_task_runs_normally_after_a_slow_start(driver: ExecutorDriver, name: str) -> None:
    with driver.takes_long_to_start(name) as command:
        starting = asyncio.create_task(driver.executor.execute(TaskRequest(command, 60_000)))
        await asyncio.sleep(0.1)
        assert not starting.done()
    if driver.runs(name):
        # The fake does not distinguish starting from running.
        starting.cancel()
        await eventually(starting.done)
        return
    execution = await starting
    assert [chunk async for chunk in execution.output.chunks()] == [f"{name}\n".encode()]
    execution.output.close()
