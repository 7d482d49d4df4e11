"""What the port promises of a TaskExecutor, asked of every one that there is."""

import asyncio
import functools

import pytest
from event_loop import settle
from executor_driver import ExecutorDriver
from executor_harness import cancelled, executing, text_of
from proc import eventually

from execwire.domain.outcome import Exited, NotStarted, Signalled, TimedOut
from execwire.domain.task import TaskRequest


@pytest.mark.parametrize("status", [0, 1, 255])
async def test_an_exit_status_is_a_value(driver: ExecutorDriver, status: int) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.exits_with(status)))
    assert execution.outcome == Exited(status)
    assert await text_of(execution.output) == b""


async def test_a_signal_is_a_value_with_its_name(driver: ExecutorDriver) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.is_ended_by_sigterm()))
    assert execution.outcome == Signalled(15, "SIGTERM")


async def test_a_failure_to_start_is_a_value_that_names_what_is_missing(driver: ExecutorDriver) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.does_not_exist()))
    assert isinstance(execution.outcome, NotStarted)
    assert "missing" in execution.outcome.reason
    assert execution.output.size == 0


@pytest.mark.parametrize("timeout_ms", [None, 60_000.0])
async def test_what_was_written_is_the_output(driver: ExecutorDriver, timeout_ms: float | None) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.writes("ü\n\ttext"), timeout_ms))
    assert execution.outcome == Exited(0)
    assert await text_of(execution.output) == "ü\n\ttext".encode()


async def test_a_timeout_is_a_value_that_keeps_what_was_written_until_then(driver: ExecutorDriver, name: str) -> None:
    before = driver.clock.monotonic_seconds()
    execution = await driver.executor.execute(TaskRequest(driver.writes_and_runs_for_ever("until then", name), 1500))
    assert execution.outcome == TimedOut()
    assert await text_of(execution.output) == b"until then"
    assert execution.ended_at - before >= 1.49
    assert not driver.runs(name)


async def test_nothing_of_a_family_runs_when_its_timeout_is_told(driver: ExecutorDriver, name: str) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.runs_for_ever(name), 300))
    assert not driver.runs(name)
    assert execution.outcome == TimedOut()


async def test_the_end_is_a_moment_on_the_clocks_scale(driver: ExecutorDriver) -> None:
    before = driver.clock.monotonic_seconds()
    executions = [
        await driver.executor.execute(TaskRequest(command))
        for command in (driver.exits_with(0), driver.does_not_exist())
    ]
    after = driver.clock.monotonic_seconds()
    moments = [execution.ended_at for execution in executions]
    assert [before, *moments, after] == sorted([before, *moments, after])


async def test_output_stays_the_callers_until_it_is_closed(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    held = await driver.executor.execute(TaskRequest(driver.writes("first")))
    large = await driver.executor.execute(TaskRequest(driver.writes_much(1_500_000)))
    await driver.executor.execute(TaskRequest(driver.writes("another")))
    assert await text_of(large.output) == bytes(1_500_000)
    assert await text_of(held.output) == b"first"
    held.output.close()
    await eventually(lambda: driver.what_is_open() == before)


async def test_parallel_calls_do_not_know_each_other(driver: ExecutorDriver, name: str) -> None:
    staying_name, going_name = f"{name}-staying", f"{name}-going"
    staying = executing(driver, driver.runs_for_ever(staying_name))
    going = executing(driver, driver.runs_for_ever(going_name))
    await eventually(lambda: driver.runs(staying_name) and driver.runs(going_name))
    executions = await asyncio.gather(*(executing(driver, driver.writes(f"text {number}")) for number in range(20)))
    texts = [await text_of(execution.output) for execution in executions]
    assert texts == [f"text {number}".encode() for number in range(20)]
    await cancelled(going)
    assert not driver.runs(going_name)
    assert driver.runs(staying_name)
    assert not staying.done()
    await cancelled(staying)


async def test_cancelling_leaves_nothing_running_or_open_when_it_comes_out(driver: ExecutorDriver, name: str) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.runs_for_ever(name))
    await eventually(lambda: driver.runs(name))
    await cancelled(task)
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_cancelling_gives_back_where_much_output_was_kept(driver: ExecutorDriver, name: str) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.writes_much_and_runs_for_ever(1_500_000, name))
    await eventually(lambda: driver.is_settled(name))
    await cancelled(task)
    assert driver.what_is_open() == before


async def test_a_large_family_is_seen_dead_not_only_signalled_when_it_comes_out(
    driver: ExecutorDriver, name: str
) -> None:
    # Rounds, because whoever was only signalled is still there no more than now and then.
    for number in range(8):
        member = f"{name}-{number}"
        task = executing(driver, driver.is_a_large_family(member))
        await eventually(functools.partial(driver.is_settled, member))
        await cancelled(task)
        assert not driver.runs(member)


# Hazard 12: between the start of a process and the first look at it lie a few turns of the loop.
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
async def test_cancelling_at_once_leaves_nothing_either(driver: ExecutorDriver, name: str, turns: int) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.runs_for_ever(name))
    await settle(turns)
    await cancelled(task)
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_cancelling_twice_is_cancelling(driver: ExecutorDriver, name: str) -> None:
    task = executing(driver, driver.runs_for_ever(name))
    await eventually(lambda: driver.runs(name))
    task.cancel()
    await settle(1)
    await cancelled(task)
    assert not driver.runs(name)


async def test_cancelling_what_ends_by_itself_gives_one_of_the_two_and_loses_nothing(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    for turns in range(20):
        task = executing(driver, driver.writes("text"))
        await settle(turns * 20)
        task.cancel()
        try:
            assert await text_of((await task).output) == b"text"
        except asyncio.CancelledError:
            assert task.cancelled()
    assert driver.what_is_open() == before


async def test_after_a_cancellation_the_next_one_runs(driver: ExecutorDriver, name: str) -> None:
    await cancelled(executing(driver, driver.runs_for_ever(name)))
    execution = await driver.executor.execute(TaskRequest(driver.exits_with(7)))
    assert execution.outcome == Exited(7)
