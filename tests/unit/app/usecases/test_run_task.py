import asyncio

import pytest
from event_loop import settle

from execwire.app.agent.container import Container
from execwire.domain.control import TaskControl
from execwire.domain.outcome import (
    Cancelled,
    Execution,
    Exited,
    NotStarted,
    Outcome,
    OutputLimitExceeded,
    Refused,
    ResultLost,
    Signalled,
    TimedOut,
)
from execwire.domain.ports.intake import TaskRunner
from execwire.domain.task import TaskRequest
from execwire.testing import FakeClock, FakeTaskExecutor


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def executor(clock: FakeClock) -> FakeTaskExecutor:
    return FakeTaskExecutor(clock)


@pytest.fixture
def runner(clock: FakeClock, executor: FakeTaskExecutor) -> TaskRunner:
    return Container(clock=clock, executor=executor).runner()


# The protocol's table of outcomes; invalid requests do not reach the use case.
@pytest.mark.parametrize(
    ("outcome", "exit_code", "error"),
    [
        (Exited(0), 0, ""),
        (Exited(1), 1, ""),
        (Exited(255), 255, ""),
        (Signalled(11, "SIGSEGV"), 139, "terminated by signal SIGSEGV"),
        (Signalled(9, "SIGKILL"), 137, "terminated by signal SIGKILL"),
        (Signalled(37, "SIGRTMIN+3"), 165, "terminated by signal SIGRTMIN+3"),
        (NotStarted("cannot start /x: No such file"), -1, "cannot start /x: No such file"),
        (TimedOut(), -1, "timeout exceeded"),
        (OutputLimitExceeded(), -1, "output limit exceeded"),
        (ResultLost("the command ran, but …"), -1, "the command ran, but …"),
        (Cancelled(), -1, "cancelled"),
        (Refused("the agent is stopping"), -1, "the agent is stopping"),
    ],
)
async def test_every_outcome_gives_the_exit_code_and_error_of_the_protocol(
    runner: TaskRunner, executor: FakeTaskExecutor, outcome: Outcome, exit_code: int, error: str
) -> None:
    executor.outcome = outcome
    result = await runner.run(TaskRequest(("do", "it")))
    assert (result.exit_code, result.error) == (exit_code, error)
    assert result.command == ("do", "it")


@pytest.mark.parametrize("outcome", [Exited(0), Signalled(9, "SIGKILL"), TimedOut(), OutputLimitExceeded()])
async def test_output_is_kept_for_any_outcome(runner: TaskRunner, executor: FakeTaskExecutor, outcome: Outcome) -> None:
    executor.outcome, executor.output = outcome, b"until then\xff"
    result = await runner.run(TaskRequest(("do", "it")))
    assert result.output.in_memory == b"until then\xff"


async def test_executor_gets_the_request_unchanged(runner: TaskRunner, executor: FakeTaskExecutor) -> None:
    request = TaskRequest(("do", "", "ü"), 250.5)
    await runner.run(request)
    assert executor.started == [request]


async def test_executed_at_is_the_start_in_whole_seconds(
    runner: TaskRunner, clock: FakeClock, executor: FakeTaskExecutor
) -> None:
    clock.unix = 1_700_000_000.999
    task = asyncio.create_task(runner.run(TaskRequest(("wait",))))
    await settle()
    clock.advance(60)
    executor.released.set()
    assert (await task).executed_at == 1_700_000_000


async def test_duration_is_in_milliseconds_with_microsecond_precision(
    runner: TaskRunner, clock: FakeClock, executor: FakeTaskExecutor
) -> None:
    task = asyncio.create_task(runner.run(TaskRequest(("wait",))))
    await settle()
    clock.advance(1.234567)
    executor.released.set()
    assert (await task).duration_ms == pytest.approx(1234.567, abs=0.0001)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
async def test_jump_of_the_wall_clock_does_not_change_the_duration(
    runner: TaskRunner, clock: FakeClock, executor: FakeTaskExecutor, jump: float
) -> None:
    # Hazard 30.
    task = asyncio.create_task(runner.run(TaskRequest(("wait",))))
    await settle()
    clock.advance(1.5)
    clock.unix += jump
    executor.released.set()
    result = await task
    assert result.duration_ms == 1500.0
    assert result.executed_at == 1_700_000_000


async def test_work_after_the_end_does_not_count_as_duration(clock: FakeClock) -> None:
    class SlowExecutor(FakeTaskExecutor):
        async def execute(self, request: TaskRequest, control: TaskControl | None = None) -> Execution:
            clock.advance(0.25)
            execution = await super().execute(request, control)
            clock.advance(2.0)
            return execution

    runner = Container(clock=clock, executor=SlowExecutor(clock)).runner()
    assert (await runner.run(TaskRequest(("do", "it")))).duration_ms == 250.0


async def test_cancelled_run_raises_cancelled_error(runner: TaskRunner, executor: FakeTaskExecutor) -> None:
    task = asyncio.create_task(runner.run(TaskRequest(("wait",))))
    await settle()
    assert executor.running == {"wait"}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert executor.running == set()


async def test_runs_are_concurrent(runner: TaskRunner, executor: FakeTaskExecutor) -> None:
    waiting = asyncio.create_task(runner.run(TaskRequest(("wait",))))
    await settle()
    assert (await runner.run(TaskRequest(("do", "it")))).exit_code == 0
    assert not waiting.done()
    executor.released.set()
    assert (await waiting).exit_code == 0
