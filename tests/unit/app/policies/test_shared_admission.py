"""Admissions of several workers on one event loop: together they keep the limits, and none of them starves."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest
from event_loop import settle
from fakes import FakeTaskIntake, a_drain
from proc import eventually

from execwire.app.policies import shared_admission
from execwire.app.policies.shared_admission import SharedAdmission
from execwire.app.scoreboard import QUEUED, SLOTS, WAITING, Scoreboard
from execwire.app.shared_slots import Semaphore, SharedSlots, open_semaphore
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult

TOTAL, MAX_QUEUED = 2, 3


def echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


class Worker:
    """One worker: its admission, its row, and tasks that run until their gate is opened."""

    def __init__(self, name: str, slots: SharedSlots, row: memoryview) -> None:
        self.name = name
        self.row = row
        self.gates = {f"{name}{number}": asyncio.Event() for number in range(20)}
        self.runner = FakeTaskIntake(echo, gates=self.gates)
        self.drain = a_drain(row)
        self.admission = SharedAdmission(self.runner, slots, MAX_QUEUED, self.drain)
        self.tasks: dict[str, asyncio.Task[TaskResult]] = {}

    def submit(self, *numbers: int) -> None:
        for number in numbers:
            name = f"{self.name}{number}"
            self.tasks[name] = asyncio.create_task(self.admission.run(TaskRequest((name,)), TaskControl(self.name)))

    def has_capacity(self) -> bool:
        return self.admission.has_capacity

    @property
    def started(self) -> list[str]:
        return [request.command[0] for request in self.runner.taken]

    async def end(self, *numbers: int) -> None:
        for number in numbers:
            self.gates[f"{self.name}{number}"].set()
        await settle()


class Agent:
    """Two workers that share TOTAL slots."""

    def __init__(self) -> None:
        self.semaphore = open_semaphore(TOTAL, SLOTS)
        first, second = rows = Scoreboard(2).rows
        self.first = Worker("a", SharedSlots(self.semaphore, first, [second]), first)
        # Each process has a descriptor of its own; one event loop can watch a descriptor only once.
        self.same = Semaphore(os.dup(self.semaphore.descriptor), TOTAL, SLOTS)
        self.second = Worker("b", SharedSlots(self.same, second, [first]), second)
        self.rows = rows

    @property
    def held(self) -> list[int]:
        return [row[SLOTS] for row in self.rows]


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    agent = Agent()
    yield agent
    for worker in (agent.first, agent.second):
        for gate in worker.gates.values():
            gate.set()
    tasks = [*agent.first.tasks.values(), *agent.second.tasks.values()]
    await eventually(lambda: all(task.done() for task in tasks))
    # Whatever has happened, no slot is lost, and nothing is watched any more.
    assert agent.held == [0, 0]
    assert [(row[WAITING], row[QUEUED]) for row in agent.rows] == [(0, 0), (0, 0)]
    for _ in range(TOTAL):
        os.eventfd_read(agent.semaphore.descriptor)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(agent.semaphore.descriptor)
    for semaphore in (agent.semaphore, agent.same):
        os.close(semaphore.descriptor)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- readiness of the semaphore is seen by the loop alone
            await asyncio.sleep(0)


async def test_one_worker_may_have_all_slots(agent: Agent) -> None:
    agent.first.submit(0, 1, 2)
    await settle()
    assert (agent.first.started, agent.held) == (["a0", "a1"], [2, 0])
    await agent.first.end(0)
    await until(lambda: agent.first.started == ["a0", "a1", "a2"])


async def test_slot_goes_to_another_worker_that_waits_before_the_own_queue(agent: Agent) -> None:
    agent.first.submit(*range(6))
    await settle()
    agent.second.submit(0)
    await settle()
    assert (agent.second.started, agent.rows[1][WAITING]) == ([], 1)
    await agent.first.end(0)
    await until(lambda: agent.second.started == ["b0"] or len(agent.first.started) > 4)
    assert agent.second.started == ["b0"]
    assert agent.rows[1][WAITING] == 0


async def test_new_task_does_not_overtake_one_that_waits_in_another_worker(agent: Agent) -> None:
    agent.first.submit(0, 1)
    await settle()
    agent.second.submit(0)
    await settle()
    # Its slot is free for a moment, and a new task comes in that moment.
    agent.first.gates["a0"].set()
    agent.first.submit(2)
    await until(lambda: bool(agent.second.started))
    assert agent.held[1] == 1


async def test_capacity_is_a_total(agent: Agent) -> None:
    agent.first.submit(*range(TOTAL + MAX_QUEUED - 1))
    await settle()
    assert agent.second.admission.has_capacity
    agent.second.submit(0)
    await settle()
    assert not agent.first.admission.has_capacity
    assert not agent.second.admission.has_capacity


async def test_caller_that_waits_for_capacity_hears_of_it_from_another_worker(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_admission, "POLL_SECONDS", 0.001)
    agent.first.submit(*range(TOTAL + MAX_QUEUED))
    await settle()
    waiter = asyncio.create_task(agent.second.admission.wait_for_capacity())
    await asyncio.sleep(0.01)
    assert not waiter.done()
    await agent.first.end(0, 1)
    await asyncio.wait_for(waiter, 10)


async def test_queued_tasks_are_refused_when_the_agent_stops_although_no_slot_is_free(agent: Agent) -> None:
    agent.first.submit(0, 1)
    await settle()
    agent.second.submit(0, 1)
    await settle()
    await agent.second.drain.drain(60)
    await settle()
    assert [agent.second.tasks[name].done() for name in ("b0", "b1")] == [True, True]
    assert agent.second.runner.stopped == [TaskRequest(("b0",)), TaskRequest(("b1",))]
    assert (agent.rows[1][QUEUED], agent.rows[1][WAITING]) == (0, 0)
    # So are those that come later.
    agent.second.submit(2)
    await settle()
    assert agent.second.tasks["b2"].done()
    assert agent.held == [2, 0]


async def test_other_workers_have_capacity_again_when_queued_tasks_are_stopped(agent: Agent) -> None:
    agent.first.submit(0, 1)
    await settle()
    controls = [TaskControl("b") for _ in range(MAX_QUEUED)]
    tasks = [asyncio.create_task(agent.second.admission.run(TaskRequest(("b9",)), control)) for control in controls]
    await settle()
    assert not agent.first.has_capacity()
    for control in controls:
        control.stop(Cancelled())
    await asyncio.wait(tasks)
    assert agent.first.has_capacity()
    assert agent.rows[1][WAITING] == 0


async def test_stopped_and_cancelled_tasks_give_their_places_and_slots_back(agent: Agent) -> None:
    agent.first.submit(*range(5))
    await settle()
    agent.first.tasks["a3"].cancel()
    agent.first.tasks["a0"].cancel()
    await settle()
    control = TaskControl("a")
    stopped = asyncio.create_task(agent.first.admission.run(TaskRequest(("a9",)), control))
    await settle()
    control.stop(Cancelled())
    await asyncio.wait_for(stopped, 10)
    assert agent.first.tasks["a3"].cancelled()
    await until(lambda: "a2" in agent.first.started)
