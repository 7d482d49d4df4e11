"""The contract of TaskExecutor, tested with every implementation."""

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
async def test_exit_status_is_a_value(driver: ExecutorDriver, status: int) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.exits_with(status)))
    assert execution.outcome == Exited(status)
    assert await text_of(execution.output) == b""


async def test_signal_is_a_value_with_its_name(driver: ExecutorDriver) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.is_ended_by_sigterm()))
    assert execution.outcome == Signalled(15, "SIGTERM")


async def test_failure_to_start_is_a_value_that_names_the_missing_file(driver: ExecutorDriver) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.does_not_exist()))
    assert isinstance(execution.outcome, NotStarted)
    assert "missing" in execution.outcome.reason
    assert execution.output.size == 0


@pytest.mark.parametrize("timeout_ms", [None, 60_000.0])
async def test_output_is_what_the_command_wrote(driver: ExecutorDriver, timeout_ms: float | None) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.writes("ü\n\ttext"), timeout_ms))
    assert execution.outcome == Exited(0)
    assert await text_of(execution.output) == "ü\n\ttext".encode()


async def test_timeout_is_a_value_with_the_output_written_until_then(driver: ExecutorDriver, name: str) -> None:
    before = driver.clock.monotonic_seconds()
    execution = await driver.executor.execute(TaskRequest(driver.writes_and_runs_for_ever("until then", name), 1500))
    assert execution.outcome == TimedOut()
    assert await text_of(execution.output) == b"until then"
    assert execution.ended_at - before >= 1.49
    assert not driver.runs(name)


async def test_no_process_of_the_task_runs_when_its_timeout_is_reported(driver: ExecutorDriver, name: str) -> None:
    execution = await driver.executor.execute(TaskRequest(driver.runs_for_ever(name), 300))
    assert not driver.runs(name)
    assert execution.outcome == TimedOut()


async def test_ended_at_is_a_time_of_the_clock(driver: ExecutorDriver) -> None:
    before = driver.clock.monotonic_seconds()
    executions = [
        await driver.executor.execute(TaskRequest(command))
        for command in (driver.exits_with(0), driver.does_not_exist())
    ]
    after = driver.clock.monotonic_seconds()
    moments = [execution.ended_at for execution in executions]
    assert [before, *moments, after] == sorted([before, *moments, after])


async def test_output_belongs_to_the_caller_until_it_is_closed(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    held = await driver.executor.execute(TaskRequest(driver.writes("first")))
    large = await driver.executor.execute(TaskRequest(driver.writes_much(1_500_000)))
    await driver.executor.execute(TaskRequest(driver.writes("another")))
    assert await text_of(large.output) == bytes(1_500_000)
    assert await text_of(held.output) == b"first"
    held.output.close()
    await eventually(lambda: driver.what_is_open() == before)


async def test_parallel_calls_are_independent(driver: ExecutorDriver, name: str) -> None:
    kept_name, cancelled_name = f"{name}-kept", f"{name}-cancelled"
    kept = executing(driver, driver.runs_for_ever(kept_name))
    to_cancel = executing(driver, driver.runs_for_ever(cancelled_name))
    await eventually(lambda: driver.runs(kept_name) and driver.runs(cancelled_name))
    executions = await asyncio.gather(*(executing(driver, driver.writes(f"text {number}")) for number in range(20)))
    texts = [await text_of(execution.output) for execution in executions]
    assert texts == [f"text {number}".encode() for number in range(20)]
    await cancelled(to_cancel)
    assert not driver.runs(cancelled_name)
    assert driver.runs(kept_name)
    assert not kept.done()
    await cancelled(kept)


async def test_nothing_runs_or_is_open_when_the_cancellation_is_raised(driver: ExecutorDriver, name: str) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.runs_for_ever(name))
    await eventually(lambda: driver.runs(name))
    await cancelled(task)
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_cancelling_frees_the_storage_of_large_output(driver: ExecutorDriver, name: str) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.writes_much_and_runs_for_ever(1_500_000, name))
    await eventually(lambda: driver.is_settled(name))
    await cancelled(task)
    assert driver.what_is_open() == before


async def test_all_processes_are_dead_when_the_cancellation_is_raised(driver: ExecutorDriver, name: str) -> None:
    # Several rounds: a process that was signalled, but not waited for, is seen alive only now and then.
    for number in range(8):
        member = f"{name}-{number}"
        task = executing(driver, driver.is_a_large_family(member))
        await eventually(functools.partial(driver.is_settled, member))
        await cancelled(task)
        assert not driver.runs(member)


# Hazard 12: a few event-loop iterations pass between the start of a process and the first check of it.
@pytest.mark.parametrize("iterations", [0, 1, 2, 3, 5])
async def test_cancelling_at_once_leaves_nothing(driver: ExecutorDriver, name: str, iterations: int) -> None:
    before = driver.what_is_open()
    task = executing(driver, driver.runs_for_ever(name))
    await settle(iterations)
    await cancelled(task)
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_cancelling_twice_is_like_cancelling_once(driver: ExecutorDriver, name: str) -> None:
    task = executing(driver, driver.runs_for_ever(name))
    await eventually(lambda: driver.runs(name))
    task.cancel()
    await settle(1)
    await cancelled(task)
    assert not driver.runs(name)


async def test_cancelling_a_task_that_exits_gives_its_result_or_a_cancellation(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    for step in range(20):
        task = executing(driver, driver.writes("text"))
        await settle(step * 20)
        task.cancel()
        try:
            assert await text_of((await task).output) == b"text"
        except asyncio.CancelledError:
            assert task.cancelled()
    assert driver.what_is_open() == before


async def test_next_task_runs_after_a_cancellation(driver: ExecutorDriver, name: str) -> None:
    await cancelled(executing(driver, driver.runs_for_ever(name)))
    execution = await driver.executor.execute(TaskRequest(driver.exits_with(7)))
    assert execution.outcome == Exited(7)
