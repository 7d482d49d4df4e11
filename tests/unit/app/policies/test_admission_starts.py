"""How many tasks, and of which clients, start in one event-loop iteration."""

import asyncio
from dataclasses import dataclass, field

import pytest
from connection_harness import echo
from event_loop import settle
from fakes import a_drain

from execwire.app.policies.admission import STARTS_PER_ITERATION, Admission
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.task import TaskRequest, TaskResult


@dataclass
class FakeTaskRunner:
    """A TaskRunner that records the event-loop iteration in which each task started."""

    iteration: int = 0
    begun: dict[str, int] = field(default_factory=dict[str, int])

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:  # noqa: ARG002
        self.begun[request.command[0]] = self.iteration
        return echo(request)


class Starting:
    """An Admission with enough slots for all tasks of such a runner, and the iterations of the event loop."""

    def __init__(self) -> None:
        self.runner = FakeTaskRunner()
        self.admission = Admission(self.runner, 1000, 1000, a_drain())
        self.controls: dict[str, TaskControl] = {}

    def start(self, *names: str, client: str = "") -> list[asyncio.Task[TaskResult]]:
        for name in names:
            self.controls[name] = TaskControl(client)
        return [asyncio.create_task(self.admission.run(TaskRequest((name,)), self.controls[name])) for name in names]

    async def iterations(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            self.runner.iteration += 1

    def counts(self) -> list[int]:
        """Return the number of tasks that started in each iteration."""
        return [list(self.runner.begun.values()).count(number) for number in range(self.runner.iteration)]

    @property
    def order(self) -> list[str]:
        return list(self.runner.begun)


@pytest.fixture
def starting() -> Starting:
    return Starting()


def names(count: int, prefix: str = "task") -> list[str]:
    return [f"{prefix}-{number:02}" for number in range(count)]


async def test_single_task_starts_at_once(starting: Starting) -> None:
    starting.start("a")
    await starting.iterations(1)
    assert starting.runner.begun == {"a": 0}


async def test_burst_of_one_client_starts_one_task_per_iteration_in_fifo_order(starting: Starting) -> None:
    starting.start(*names(5 * STARTS_PER_ITERATION))
    await starting.iterations(100)
    assert starting.order == names(5 * STARTS_PER_ITERATION)
    begun = [count for count in starting.counts() if count]
    assert begun[0] == STARTS_PER_ITERATION
    # The limit is 1 by then, since several tasks of the client wait; the last one waits alone.
    assert set(begun[1:]) == {1}


async def test_burst_of_many_clients_starts_several_tasks_per_iteration(starting: Starting) -> None:
    for client in names(5 * STARTS_PER_ITERATION):
        starting.start(client, client=client)
    await starting.iterations(100)
    assert starting.order == names(5 * STARTS_PER_ITERATION)
    assert [count for count in starting.counts() if count] == [STARTS_PER_ITERATION] * 5


async def test_client_with_one_task_waits_for_about_one_task_of_each_other_client(starting: Starting) -> None:
    for client in "xyz":
        starting.start(*names(50, client), client=client)
    await starting.iterations(1)
    starting.start("alone", client="other")
    await starting.iterations(200)
    before = starting.order[: starting.order.index("alone")]
    # Tasks that had started, or had been passed a slot, when it was submitted; then one of each client.
    assert len(before) <= 2 * STARTS_PER_ITERATION + len("xyz")
    assert len(starting.order) == 151
    for client in "xyz":
        assert [name for name in starting.order if name.startswith(client)] == names(50, client)


async def test_later_task_does_not_overtake_others_of_the_same_client(starting: Starting) -> None:
    starting.start(*names(3 * STARTS_PER_ITERATION))
    await starting.iterations(2)
    starting.start("late")
    await starting.iterations(20)
    assert starting.order == [*names(3 * STARTS_PER_ITERATION), "late"]


async def test_cancelled_queued_tasks_use_no_starts(starting: Starting) -> None:
    tasks = starting.start(*names(2 * STARTS_PER_ITERATION + 1))
    await starting.iterations(1)
    for task in tasks[STARTS_PER_ITERATION:-1]:
        task.cancel()
    await starting.iterations(3)
    assert starting.order == [*names(STARTS_PER_ITERATION), names(2 * STARTS_PER_ITERATION + 1)[-1]]


async def test_limit_of_starts_is_reset_in_the_next_iteration(starting: Starting) -> None:
    for burst in range(3):
        starting.start(*(f"{burst}-{name}" for name in names(STARTS_PER_ITERATION)))
        await settle()
        starting.runner.iteration += 1
    assert len(starting.runner.begun) == 3 * STARTS_PER_ITERATION


async def test_all_slots_and_starts_are_free_after_tasks_end_in_any_way(starting: Starting) -> None:
    tasks = starting.start(*names(STARTS_PER_ITERATION + 16))
    await starting.iterations(1)
    starting.controls[f"task-{STARTS_PER_ITERATION + 6:02}"].stop(Cancelled())
    tasks[STARTS_PER_ITERATION + 8].cancel()
    # It has a slot, and has not started yet.
    await starting.iterations(1)
    tasks[STARTS_PER_ITERATION + 1].cancel()
    await settle()
    assert sum(task.cancelled() for task in tasks) == 2
    starting.admission = Admission(starting.runner, 1, 0, a_drain())
    assert starting.admission.has_capacity
