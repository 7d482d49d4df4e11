import asyncio

import pytest
from event_loop import settle
from fakes import FakeTaskIntake, a_drain

from execwire.app.agent.container import Container
from execwire.app.policies.admission import Admission
from execwire.app.settings.model import Settings
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock, FakeTaskExecutor


def _echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


class Gated:
    """Admission with tasks that run until they are finished by `finish`, each named by a letter."""

    def __init__(self, max_running: int, max_queued: int = 100) -> None:
        self.gates = {name: asyncio.Event() for name in "abcdefgh"}
        self.runner = FakeTaskIntake(_echo, gates=self.gates)
        self.admission = Admission(self.runner, max_running, max_queued, a_drain())
        self.tasks: dict[str, asyncio.Task[TaskResult]] = {}

    def submit(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self.admission.run(TaskRequest((name,))))

    @property
    def started(self) -> str:
        return "".join(request.command[0] for request in self.runner.taken)

    async def finish(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()
        await settle()
        for name in names:
            assert self.tasks[name].result().command == (name,)

    async def assert_cancelled(self, name: str) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.tasks[name]


async def test_at_most_max_running_tasks_run_at_once() -> None:
    gated = Gated(max_running=2)
    gated.submit("a", "b", "c", "d")
    await settle()
    assert gated.started == "ab"
    await gated.finish("b")
    assert gated.started == "abc"
    await gated.finish("a", "c", "d")


async def test_queued_tasks_start_in_fifo_order() -> None:
    gated = Gated(max_running=1)
    gated.submit(*"abcdefgh")
    await settle()
    for done, name in enumerate("abcdefgh", start=1):
        assert gated.started == "abcdefgh"[:done]
        await gated.finish(name)


async def test_new_task_does_not_overtake_a_queued_one_when_a_slot_is_freed() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b")
    await settle()
    # In the next event-loop iteration a ends, and c is submitted before b resumes.
    gated.gates["a"].set()
    gated.submit("c")
    await settle()
    assert gated.started == "ab"
    await gated.finish("b", "c")


async def test_slot_is_passed_on_when_its_task_is_cancelled() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b")
    await settle()
    gated.tasks["a"].cancel()
    await gated.assert_cancelled("a")
    assert [request.command for request in gated.runner.cancelled] == [("a",)]
    await gated.finish("b")


async def test_slot_is_passed_on_when_the_runner_raises() -> None:
    def answer(request: TaskRequest) -> TaskResult:
        if request.command == ("a",):
            raise ZeroDivisionError
        return _echo(request)

    gated = Gated(max_running=1)
    gated.runner.answer = answer
    gated.submit("a", "b")
    gated.gates["a"].set()
    with pytest.raises(ZeroDivisionError):
        await gated.tasks["a"]
    await gated.finish("b")


async def test_task_cancelled_in_the_queue_never_runs() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b", "c")
    await settle()
    gated.tasks["b"].cancel()
    await gated.assert_cancelled("b")
    await gated.finish("a", "c")
    assert gated.started == "ac"


async def test_task_cancelled_right_after_getting_a_slot_passes_it_on() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b", "c")
    await settle()
    # The callback runs in the event-loop iteration in which a passes its slot to b, before b resumes.
    gated.gates["a"].set()
    asyncio.get_running_loop().call_soon(gated.tasks["b"].cancel)
    await gated.assert_cancelled("b")
    await gated.finish("c")
    assert gated.started == "ac"


async def test_task_stopped_in_the_queue_returns_at_once_and_never_runs() -> None:
    gated = Gated(max_running=1, max_queued=2)
    gated.submit("a")
    control = TaskControl()
    stopped = asyncio.create_task(gated.admission.run(TaskRequest(("b",)), control))
    gated.submit("c")
    await settle()
    capacity = [gated.admission.has_capacity]
    control.stop(Cancelled())
    control.stop(Cancelled())
    capacity.append(gated.admission.has_capacity)
    assert capacity == [False, True]
    await stopped
    assert gated.runner.stopped == [TaskRequest(("b",))]
    await gated.finish("a", "c")
    assert gated.started == "ac"


async def test_task_stopped_before_it_is_submitted_is_not_queued() -> None:
    gated = Gated(max_running=1)
    gated.submit("a")
    control = TaskControl()
    control.stop(Cancelled())
    await gated.admission.run(TaskRequest(("b",)), control)
    await gated.finish("a")
    assert gated.started == "a"


async def test_task_stopped_right_after_getting_a_slot_passes_it_on() -> None:
    gated = Gated(max_running=1)
    gated.submit("a")
    control = TaskControl()
    stopped = asyncio.create_task(gated.admission.run(TaskRequest(("b",)), control))
    gated.submit("c")
    await settle()
    gated.gates["a"].set()
    # As above: in the event-loop iteration in which a passes its slot to b.
    asyncio.get_running_loop().call_soon(control.stop, Cancelled())
    await stopped
    await gated.finish("a", "c")
    assert gated.started == "ac"


async def test_all_slots_are_free_after_tasks_end_in_any_way() -> None:
    gated = Gated(max_running=2)
    gated.submit("a", "b", "c", "d")
    await settle()
    for name in "cab":
        gated.tasks[name].cancel()
    await gated.finish("d")
    gated.submit("e", "f", "g")
    await settle()
    assert gated.started == "abdef"
    await gated.finish("e", "f", "g")


async def test_time_in_the_queue_is_not_execution() -> None:
    clock = FakeClock()
    executor = FakeTaskExecutor(clock)
    intake = Container(clock=clock, executor=executor, settings=Settings(max_running=1)).intake()
    first = asyncio.create_task(intake.run(TaskRequest(("wait", "a"))))
    second = asyncio.create_task(intake.run(TaskRequest(("do", "it"))))
    await settle()
    clock.advance(60)
    executor.released.set()
    results = [await first, await second]
    assert [result.duration_ms for result in results] == [60_000.0, 0.0]
    assert [result.executed_at for result in results] == [1_700_000_000, 1_700_000_060]
