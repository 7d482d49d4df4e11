import asyncio

import pytest
from event_loop import settle
from fakes import FakeTaskIntake

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
    """Admission over tasks that run until they are let go, one by one, each named by a letter."""

    def __init__(self, max_running: int, max_queued: int = 100) -> None:
        self.gates = {name: asyncio.Event() for name in "abcdefgh"}
        self.runner = FakeTaskIntake(_echo, gates=self.gates)
        self.admission = Admission(self.runner, max_running, max_queued)
        self.tasks: dict[str, asyncio.Task[TaskResult]] = {}

    def submit(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self.admission.run(TaskRequest((name,))))

    @property
    def started(self) -> str:
        return "".join(request.command[0] for request in self.runner.taken)

    async def let_go(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()
        await settle()
        for name in names:
            assert self.tasks[name].result().command == (name,)

    async def see_cancelled(self, name: str) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.tasks[name]


async def test_no_more_than_the_limit_run_at_once() -> None:
    gated = Gated(max_running=2)
    gated.submit("a", "b", "c", "d")
    await settle()
    assert gated.started == "ab"
    await gated.let_go("b")
    assert gated.started == "abc"
    await gated.let_go("a", "c", "d")


async def test_who_waits_is_served_in_the_order_of_arrival() -> None:
    gated = Gated(max_running=1)
    gated.submit(*"abcdefgh")
    await settle()
    for done, name in enumerate("abcdefgh", start=1):
        assert gated.started == "abcdefgh"[:done]
        await gated.let_go(name)


async def test_a_newcomer_does_not_overtake_whoever_waits_when_a_slot_gets_free() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b")
    await settle()
    # In the turn after this a ends, and c arrives before b has noticed.
    gated.gates["a"].set()
    gated.submit("c")
    await settle()
    assert gated.started == "ab"
    await gated.let_go("b", "c")


async def test_a_slot_is_passed_on_when_its_task_is_cancelled() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b")
    await settle()
    gated.tasks["a"].cancel()
    await gated.see_cancelled("a")
    assert [request.command for request in gated.runner.cancelled] == [("a",)]
    await gated.let_go("b")


async def test_a_slot_is_passed_on_when_the_runner_is_broken() -> None:
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
    await gated.let_go("b")


async def test_who_is_cancelled_while_queued_never_runs_and_the_next_one_moves_up() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b", "c")
    await settle()
    gated.tasks["b"].cancel()
    await gated.see_cancelled("b")
    await gated.let_go("a", "c")
    assert gated.started == "ac"


async def test_who_is_cancelled_just_after_being_granted_passes_the_slot_on() -> None:
    gated = Gated(max_running=1)
    gated.submit("a", "b", "c")
    await settle()
    # The callback comes in the turn in which a hands its slot to b, before b can wake up.
    gated.gates["a"].set()
    asyncio.get_running_loop().call_soon(gated.tasks["b"].cancel)
    await gated.see_cancelled("b")
    await gated.let_go("c")
    assert gated.started == "ac"


async def test_who_is_stopped_while_queued_is_answered_at_once_never_runs_and_gives_up_its_place() -> None:
    gated = Gated(max_running=1, max_queued=2)
    gated.submit("a")
    control = TaskControl()
    stopped = asyncio.create_task(gated.admission.run(TaskRequest(("b",)), control))
    gated.submit("c")
    await settle()
    room = [gated.admission.has_capacity]
    control.stop(Cancelled())
    control.stop(Cancelled())
    room.append(gated.admission.has_capacity)
    assert room == [False, True]
    await stopped
    assert gated.runner.stopped == [TaskRequest(("b",))]
    await gated.let_go("a", "c")
    assert gated.started == "ac"


async def test_who_is_stopped_before_it_has_come_takes_no_place() -> None:
    gated = Gated(max_running=1)
    gated.submit("a")
    control = TaskControl()
    control.stop(Cancelled())
    await gated.admission.run(TaskRequest(("b",)), control)
    await gated.let_go("a")
    assert gated.started == "a"


async def test_who_is_stopped_just_after_being_granted_passes_the_slot_on() -> None:
    gated = Gated(max_running=1)
    gated.submit("a")
    control = TaskControl()
    stopped = asyncio.create_task(gated.admission.run(TaskRequest(("b",)), control))
    gated.submit("c")
    await settle()
    gated.gates["a"].set()
    # As above: in the turn in which a hands its slot to b.
    asyncio.get_running_loop().call_soon(control.stop, Cancelled())
    await stopped
    await gated.let_go("a", "c")
    assert gated.started == "ac"


async def test_all_slots_are_there_again_after_every_kind_of_end() -> None:
    gated = Gated(max_running=2)
    gated.submit("a", "b", "c", "d")
    await settle()
    for name in "cab":
        gated.tasks[name].cancel()
    await gated.let_go("d")
    gated.submit("e", "f", "g")
    await settle()
    assert gated.started == "abdef"
    await gated.let_go("e", "f", "g")


async def test_time_spent_queued_is_not_execution() -> None:
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
