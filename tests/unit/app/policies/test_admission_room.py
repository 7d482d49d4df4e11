import asyncio
import weakref

import pytest
from event_loop import settle
from fakes import FakeTaskIntake

from execwire.app.policies.admission import Admission
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult


def _echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


class Full:
    """Admission that runs one task at a time; what runs and what waits is let go by hand."""

    def __init__(self, max_queued: int) -> None:
        self.gate = asyncio.Event()
        self.admission = Admission(FakeTaskIntake(_echo, gates={"task": self.gate}), 1, max_queued)

    def has_room(self) -> bool:
        return self.admission.has_capacity

    async def submit(self) -> asyncio.Task[TaskResult]:
        task = asyncio.create_task(self.admission.run(TaskRequest(("task",))))
        await settle()
        return task

    def watch(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.admission.wait_for_capacity())


async def _finish(full: Full, *tasks: asyncio.Task[TaskResult]) -> None:
    full.gate.set()
    for task in tasks:
        await task


async def test_there_is_room_until_the_queue_is_full() -> None:
    full = Full(max_queued=2)
    tasks: list[asyncio.Task[TaskResult]] = []
    seen: list[bool] = []
    for _ in range(3):
        seen.append(full.has_room())
        tasks.append(await full.submit())
    assert seen == [True, True, True]
    assert not full.has_room()
    await _finish(full, *tasks)
    assert full.has_room()


async def test_room_returns_at_once_where_there_is_some() -> None:
    watcher = Full(max_queued=0).watch()
    await settle()
    assert watcher.done()
    await watcher


async def test_without_a_queue_there_is_room_while_a_slot_is_free() -> None:
    full = Full(max_queued=0)
    assert full.has_room()
    task = await full.submit()
    assert not full.has_room()
    await _finish(full, task)
    assert full.has_room()


async def test_what_comes_without_room_waits_its_turn_and_is_not_dropped() -> None:
    full = Full(max_queued=1)
    tasks = [await full.submit() for _ in range(5)]
    full.gate.set()
    assert [(await task).exit_code for task in tasks] == [0] * 5


async def test_room_is_given_in_the_order_in_which_it_was_asked_for_and_to_no_newcomer() -> None:
    full = Full(max_queued=0)
    tasks = [await full.submit()]
    told: list[int] = []

    async def bring(number: int) -> None:
        await full.admission.wait_for_capacity()
        told.append(number)
        await full.admission.run(TaskRequest(("task",)))

    waiting = [asyncio.create_task(bring(number)) for number in range(3)]
    await settle()
    assert told == []
    assert not full.has_room()
    full.gate.set()
    for task in (*tasks, *waiting):
        await task
    assert told == [0, 1, 2]
    assert full.has_room()


async def test_who_was_given_room_and_brings_nothing_does_not_keep_it_from_the_next() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    watchers = [full.watch() for _ in range(3)]
    await settle()
    assert not any(watcher.done() for watcher in watchers)
    await _finish(full, task)
    await settle()
    assert all(watcher.done() for watcher in watchers)


async def test_a_wait_for_room_that_is_cancelled_as_it_is_granted_harms_nobody() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    gone, watcher = full.watch(), full.watch()
    await settle()
    full.gate.set()
    gone.cancel()
    await task
    with pytest.raises(asyncio.CancelledError):
        await gone
    await settle()
    assert watcher.done()


async def test_a_turn_that_was_cancelled_is_passed_over_and_costs_nobody_a_slot() -> None:
    full = Full(max_queued=10)
    tasks = [await full.submit() for _ in range(3)]
    full.gate.set()
    # Its coroutine has not run yet when the slot is passed on.
    tasks[1].cancel()
    assert (await tasks[0]).exit_code == 0
    assert (await tasks[2]).exit_code == 0
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert (await (await full.submit())).exit_code == 0


async def test_who_no_longer_waits_for_room_does_not_keep_others_from_hearing_of_it() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    gone, watcher = full.watch(), full.watch()
    await settle()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await _finish(full, task)
    await settle()
    assert watcher.done()


@pytest.mark.parametrize("position", [1, 2])
async def test_a_queued_task_that_is_cancelled_makes_room_at_once(position: int) -> None:
    # Otherwise a client that queues much and goes would keep all others waiting for a task that runs for days.
    full = Full(max_queued=2)
    tasks = [await full.submit() for _ in range(3)]
    watcher = full.watch()
    await settle()
    assert not full.has_room()
    tasks.pop(position).cancel()
    await settle()
    assert full.has_room()
    assert watcher.done()
    await _finish(full, *tasks)


async def test_of_clients_that_queue_and_go_nothing_is_kept_while_a_task_runs_on() -> None:
    full = Full(max_queued=10)
    running = await full.submit()
    places: list[weakref.ref[asyncio.Task[TaskResult]]] = []
    for _ in range(20):
        control = TaskControl(object())
        task = asyncio.create_task(full.admission.run(TaskRequest(("task",)), control))
        await settle()
        control.stop(Cancelled())
        await task
        places.append(weakref.ref(task))
        del task, control
    await settle()
    assert [place() for place in places] == [None] * 20
    assert full.admission.waiting == 0
    await _finish(full, running)
