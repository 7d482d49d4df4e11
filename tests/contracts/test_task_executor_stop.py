"""What domain/control.py promises of a task that is ended early, asked of every TaskExecutor that there is."""

import asyncio

import pytest
from event_loop import past, settle
from executor_driver import ExecutorDriver
from executor_harness import cancelled, executing, text_of
from proc import eventually

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled, Exited, Outcome, Refused, TimedOut
from execwire.domain.task import TaskRequest

LONG = 60.0
SHORT = 0.1
BOUND_SECONDS = 15.0
BEING_STOPPED = Refused("the agent is stopping")


class Stopped:
    """A task that runs, and its control."""

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
async def test_a_stopped_task_ends_with_the_verdict_and_what_it_wrote(
    driver: ExecutorDriver, name: str, verdict: Outcome
) -> None:
    before = driver.what_is_open()
    stopped = await running(driver, driver.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(verdict)
    assert await stopped.outcome() == (verdict, b"until then")
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_a_refusal_has_no_output(driver: ExecutorDriver, name: str) -> None:
    before = driver.what_is_open()
    stopped = await running(driver, driver.writes_much_and_runs_for_ever(1_500_000, name), name)
    stopped.control.stop(BEING_STOPPED)
    assert await stopped.outcome() == (BEING_STOPPED, b"")
    await eventually(lambda: driver.what_is_open() == before)


async def test_nothing_of_a_family_is_left_when_the_answer_comes(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.is_a_large_family(name), name)
    stopped.control.stop(Cancelled())
    assert (await stopped.outcome())[0] == Cancelled()
    assert not driver.runs(name)


async def test_what_was_stopped_before_it_came_is_not_started(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    control.stop(BEING_STOPPED)
    control.stop(Cancelled())
    execution = await driver.executor.execute(TaskRequest(driver.writes("text")), control)
    assert (execution.outcome, execution.output.size) == (BEING_STOPPED, 0)
    assert not driver.runs(name)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("grace", [0.0, LONG])
async def test_stopping_at_once_leaves_nothing_either(
    driver: ExecutorDriver, name: str, turns: int, grace: float
) -> None:
    before = driver.what_is_open()
    stopped = Stopped(driver, driver.runs_for_ever(name))
    await settle(turns)
    stopped.control.stop(Cancelled(), grace)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not driver.runs(name)
    assert driver.what_is_open() == before


async def test_stopping_what_ends_by_itself_gives_one_of_the_two_and_loses_nothing(driver: ExecutorDriver) -> None:
    before = driver.what_is_open()
    for turns in range(20):
        stopped = Stopped(driver, driver.writes("text"))
        await settle(turns * 20)
        stopped.control.stop(Cancelled())
        outcome, text = await stopped.outcome()
        assert outcome == Cancelled() or (outcome, text) == (Exited(0), b"text")
    assert driver.what_is_open() == before


async def test_a_task_that_has_ended_is_not_stopped_any_more(driver: ExecutorDriver) -> None:
    stopped = Stopped(driver, driver.writes("text"))
    assert await stopped.outcome() == (Exited(0), b"text")
    stopped.control.stop(Cancelled(), LONG)
    stopped.control.stop(Cancelled())


async def test_who_obeys_has_no_need_of_its_grace(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(Cancelled(), LONG)
    assert await stopped.outcome() == (Cancelled(), b"until then")


async def test_who_does_not_obey_is_killed_when_its_grace_is_over_and_not_before(
    driver: ExecutorDriver, name: str
) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), 3 * SHORT)
    await past(SHORT)
    assert driver.runs(name)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not driver.runs(name)


async def test_the_leaders_end_alone_does_not_end_a_grace(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.has_a_child_that_says_goodbye("goodbye", name), name)
    stopped.control.stop(TimedOut(), LONG)
    assert await stopped.outcome() == (TimedOut(), b"goodbye")


@pytest.mark.parametrize(("first", "second"), [(LONG, 0.0), (LONG, SHORT), (SHORT, LONG)])
async def test_the_first_verdict_and_the_shortest_grace_count(
    driver: ExecutorDriver, name: str, first: float, second: float
) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), first)
    stopped.control.stop(TimedOut(), second)
    assert (await stopped.outcome())[0] == Cancelled()
    assert not driver.runs(name)


async def test_a_timeout_ends_a_grace_and_changes_no_verdict(driver: ExecutorDriver, name: str) -> None:
    control = TaskControl()
    task = asyncio.create_task(driver.executor.execute(TaskRequest(driver.ignores_sigterm(name), 1500), control))
    await eventually(lambda: driver.is_settled(name))
    control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        assert (await task).outcome == Cancelled()


async def test_cancelling_what_is_given_a_grace_kills_it(driver: ExecutorDriver, name: str) -> None:
    stopped = await running(driver, driver.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        await cancelled(stopped.task)
    assert not driver.runs(name)
