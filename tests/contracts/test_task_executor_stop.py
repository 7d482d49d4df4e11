"""The contract of TaskControl (domain/control.py) for tasks that are stopped, tested with every TaskExecutor."""

import asyncio

import pytest
from event_loop import past, settle
from executor_driver import ExecutorDriver
from executor_harness import cancelled, executing, text_of
from proc import eventually

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled, Exited, Outcome, Refused, ResultLost, TimedOut
from execwire.domain.task import TaskRequest

LONG = 60.0
SHORT = 0.1
BOUND_SECONDS = 15.0
BEING_STOPPED = Refused("the agent is stopping")


class Stopped:
    """A running task and its control."""

    def __init__(self, driver: ExecutorDriver, command: tuple[str, ...]) -> None:
        self.control = TaskControl()
        self.task = executing(driver, command, self.control)

    async def outcome(self) -> tuple[Outcome, bytes]:
        async with asyncio.timeout(BOUND_SECONDS):
            execution = await self.task
        return execution.outcome, await text_of(execution.output)


async def running(driver: ExecutorDriver, command: tuple[str, ...], name: str) -> Stopped:
    stopped = Stopped(driver, command)
    await eventually(lambda: driver.is_settled(name))
    return stopped


@pytest.mark.parametrize("verdict", [Cancelled(), TimedOut()])
async def test_stopped_task_ends_with_the_verdict_and_its_output(
    driver: ExecutorDriver, name: str, verdict: Outcome
) -> None:
    before = driver.what_is_open()
    stopped = await running(driver, driver.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(verdict)
    assert await stopped.outcome() == (verdict, b"until then")
    assert not driver.runs(name)
    assert driver.what_is_open() == before


@pytest.mark.parametrize("verdict", [BEING_STOPPED, ResultLost("its output could not be kept")])
async def test_refused_task_and_lost_result_have_no_output(driver: ExecutorDriver, name: str, verdict: Outcome) -> None:
    before = driver.what_is_open()
    stopped = await running(driver, driver.writes_much_and_runs_for_ever(1_500_000, name), name)
    stopped.control.stop(verdict)
    assert await stopped.outcome() == (verdict, b"")
    await eventually(lambda: driver.what_is_open() == before)


async def test_no_process_of_a_stopped_task_runs_when_it_returns(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.is_a_large_family(name), name)
    stopped.control.stop(Cancelled())
    assert (await stopped.outcome())[0] == Cancelled()
    assert not driver.runs(name)


async def test_task_stopped_before_execute_is_not_started(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    control.stop(BEING_STOPPED)
    control.stop(Cancelled())
    execution = await driver.executor.execute(TaskRequest(driver.writes("text")), control)
    assert (execution.outcome, execution.output.size) == (BEING_STOPPED, 0)
    assert not driver.runs(name)


@pytest.mark.parametrize("iterations", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("grace", [0.0, LONG])
async def test_stopping_at_once_leaves_nothing(
    driver: ExecutorDriver, name: str, iterations: int, grace: float
) -> None:
    before = driver.what_is_open()
    stopped = Stopped(driver, driver.runs_for_ever(name))
    await settle(iterations)
    stopped.control.stop(Cancelled(), grace)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_stopping_a_task_that_exits_gives_its_result_or_the_verdict(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    for step in range(20):
        stopped = Stopped(driver, driver.writes("text"))
        await settle(step * 20)
        stopped.control.stop(Cancelled())
        outcome, text = await stopped.outcome()
        assert outcome == Cancelled() or (outcome, text) == (Exited(0), b"text")
    assert driver.what_is_open() == before


async def test_stopping_a_task_that_has_ended_does_nothing(driver: ExecutorDriver) -> None:
    stopped = Stopped(driver, driver.writes("text"))
    assert await stopped.outcome() == (Exited(0), b"text")
    stopped.control.stop(Cancelled(), LONG)
    stopped.control.stop(Cancelled())


async def test_task_that_ends_on_sigterm_returns_before_its_grace_is_over(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(Cancelled(), LONG)
    assert await stopped.outcome() == (Cancelled(), b"until then")


async def test_task_that_ignores_sigterm_is_killed_when_its_grace_is_over(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), 3 * SHORT)
    await past(SHORT)
    assert driver.runs(name)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not driver.runs(name)


async def test_exit_of_the_leader_alone_does_not_end_the_grace(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.has_a_child_that_says_goodbye("goodbye", name), name)
    stopped.control.stop(TimedOut(), LONG)
    assert await stopped.outcome() == (TimedOut(), b"goodbye")


@pytest.mark.parametrize(("first", "second"), [(LONG, 0.0), (LONG, SHORT), (SHORT, LONG)])
async def test_first_verdict_and_shortest_grace_count(
    driver: ExecutorDriver, name: str, first: float, second: float
) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), first)
    stopped.control.stop(TimedOut(), second)
    assert (await stopped.outcome())[0] == Cancelled()
    assert not driver.runs(name)


async def test_timeout_ends_a_grace_and_keeps_the_verdict(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    task = asyncio.create_task(driver.executor.execute(TaskRequest(driver.ignores_sigterm(name), 1500), control))
    await eventually(lambda: driver.is_settled(name))
    control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        assert (await task).outcome == Cancelled()


async def test_cancelling_a_task_in_its_grace_kills_it(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        await cancelled(stopped.task)
    assert not driver.runs(name)


async def test_all_that_runs_can_be_stopped_at_once_and_keeps_an_earlier_verdict(
    driver: ExecutorDriver, name: str
) -> None:
    first = await running(driver, driver.runs_for_ever(name), name)
    second = await running(driver, driver.ignores_sigterm(f"{name}-2"), f"{name}-2")
    second.control.stop(Cancelled(), LONG)
    assert driver.executor.stop_all(TimedOut()) == 1
    assert (await first.outcome())[0] == TimedOut()
    assert (await second.outcome())[0] == Cancelled()
    assert driver.executor.stop_all(TimedOut()) == 0
