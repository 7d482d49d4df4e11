import asyncio

import pytest
from event_loop import settle

from execwire.app.agent.container import Container
from execwire.app.policies.drain import Drain
from execwire.app.scoreboard import RUNNING, unshared_row
from execwire.app.settings.model import Settings
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.ports.intake import TaskIntake
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock, FakeTaskExecutor

LONG = 60.0
BOUND_SECONDS = 10.0


class Draining:
    """A Drain with an executor whose tasks run until they are released or killed."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.executor = FakeTaskExecutor(self.clock)
        container = Container(clock=self.clock, executor=self.executor)
        self.drain: Drain = container.drain()
        self.intake: TaskIntake = container.intake()

    async def start(self, *names: str) -> list[asyncio.Task[TaskResult]]:
        tasks = [asyncio.create_task(self.intake.run(TaskRequest(("wait", name)))) for name in names]
        await settle()
        assert self.executor.running == {f"wait {name}" for name in names}
        return tasks

    async def stop(self, seconds: float = LONG) -> int:
        async with asyncio.timeout(BOUND_SECONDS):
            return await self.drain.drain(seconds)


@pytest.fixture
def draining() -> Draining:
    return Draining()


def assert_refused(result: TaskResult, words: str) -> None:
    assert result.exit_code == -1
    assert "stopping" in result.error
    assert words in result.error
    assert result.output.size == 0


async def test_tasks_pass_through_before_a_stop(draining: Draining) -> None:
    draining.executor.output = b"out"
    result = await draining.intake.run(TaskRequest(("do", "it")))
    assert (result.exit_code, result.output.in_memory) == (0, b"out")


async def test_drain_without_running_tasks_returns_at_once(draining: Draining) -> None:
    assert await draining.stop() == 0


async def test_new_tasks_are_refused_while_stopping(draining: Draining) -> None:
    [running] = await draining.start("a")
    stopping = asyncio.create_task(draining.stop())
    await settle()
    assert_refused(await draining.intake.run(TaskRequest(("do", "it"))), "nothing was run")
    assert [request.command for request in draining.executor.started] == [("wait", "a")]
    draining.executor.released.set()
    await asyncio.gather(running, stopping)


async def test_running_tasks_may_end_during_the_drain(draining: Draining) -> None:
    tasks = await draining.start("a", "b")
    stopping = asyncio.create_task(draining.stop())
    await settle()
    assert not stopping.done()
    draining.executor.released.set()
    assert await stopping == 0
    assert [(await task).exit_code for task in tasks] == [0, 0]


async def test_tasks_that_run_after_the_drain_are_killed_and_refused(draining: Draining) -> None:
    tasks = await draining.start("a", "b", "c")
    assert await draining.stop(0.01) == 3
    assert draining.executor.running == set()
    for task in tasks:
        assert_refused(await task, "killed")


async def test_kill_during_the_drain_kills_at_once(draining: Draining) -> None:
    [task] = await draining.start("a")
    stopping = asyncio.create_task(draining.stop())
    await settle()
    assert draining.drain.kill() == 1
    assert_refused(await task, "killed")
    await stopping


async def test_killing_twice_kills_each_task_once(draining: Draining) -> None:
    [task] = await draining.start("a")
    assert (draining.drain.kill(), draining.drain.kill()) == (1, 0)
    assert_refused(await task, "killed")


async def test_cancelled_task_stays_cancelled_during_the_drain(draining: Draining) -> None:
    [cancelled] = await draining.start("a")
    stopping = asyncio.create_task(draining.stop())
    await settle()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await stopping == 0


@pytest.mark.parametrize("kill_first", [True, False])
async def test_task_that_is_killed_and_cancelled_at_once_is_cancelled(draining: Draining, *, kill_first: bool) -> None:
    [task] = await draining.start("a")
    calls = [draining.drain.kill, task.cancel]
    for call in calls if kill_first else calls[::-1]:
        call()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert draining.executor.running == set()


async def test_task_that_ends_during_the_kill_keeps_its_outcome_and_output(draining: Draining) -> None:
    draining.executor.output = b"text"
    [task] = await draining.start("a")
    draining.executor.released.set()
    draining.drain.kill()
    result = await task
    assert (result.exit_code, result.output.in_memory) == (0, b"text")


async def test_kill_ends_the_grace_of_a_stopped_task_and_keeps_its_verdict(draining: Draining) -> None:
    control = TaskControl()
    task = asyncio.create_task(draining.intake.run(TaskRequest(("ignore-stop", "a")), control))
    await settle()
    control.stop(Cancelled(), LONG)
    assert draining.drain.kill() == 0
    assert (await task).error == "cancelled"


async def test_queued_tasks_get_a_result_when_the_agent_stops() -> None:
    # Hazard 31.
    clock = FakeClock()
    container = Container(clock=clock, executor=FakeTaskExecutor(clock), settings=Settings(max_running=10))
    intake, drain = container.intake(), container.drain()
    tasks = [asyncio.create_task(intake.run(TaskRequest(("wait", str(number))))) for number in range(110)]
    await settle()
    async with asyncio.timeout(BOUND_SECONDS):
        assert await drain.drain(0) == 10
    results = [await task for task in tasks]
    assert {result.exit_code for result in results} == {-1}
    assert ["killed" in result.error for result in results] == [True] * 10 + [False] * 100
    assert all("stopping" in result.error for result in results)


async def test_scoreboard_row_has_the_number_of_running_tasks() -> None:
    row = unshared_row()
    executor = FakeTaskExecutor(FakeClock())
    container = Container(clock=executor.clock, executor=executor, row=row)
    drain, intake = container.drain(), container.intake()
    tasks = [asyncio.create_task(intake.run(TaskRequest(("wait", str(number))))) for number in range(3)]
    await settle()
    assert (row[RUNNING], drain.running) == (3, 3)
    executor.released.set()
    await asyncio.wait(tasks)
    assert (row[RUNNING], drain.running) == (0, 0)
