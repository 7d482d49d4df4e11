import asyncio
import weakref

import pytest
from event_loop import settle
from fakes import FakeTaskIntake, a_drain

from execwire.app.policies.admission import Admission
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled
from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import TaskRequest, TaskResult


def _echo(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, NO_OUTPUT, "")


class Full:
    """Admission that runs one task at a time, until `gate` is set."""

    def __init__(self, max_queued: int) -> None:
        self.gate = asyncio.Event()
        self.admission = Admission(FakeTaskIntake(_echo, gates={"task": self.gate}), 1, max_queued, a_drain())

    def has_capacity(self) -> bool:
        return self.admission.has_capacity

    async def submit(self) -> asyncio.Task[TaskResult]:
        task = asyncio.create_task(self.admission.run(TaskRequest(("task",))))
        await settle()
        return task

    def wait(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.admission.wait_for_capacity())


async def _finish(full: Full, *tasks: asyncio.Task[TaskResult]) -> None:
    full.gate.set()
    for task in tasks:
        await task


async def test_there_is_capacity_until_the_queue_is_full() -> None:
    full = Full(max_queued=2)
    tasks: list[asyncio.Task[TaskResult]] = []
    seen: list[bool] = []
    for _ in range(3):
        seen.append(full.has_capacity())
        tasks.append(await full.submit())
    assert seen == [True, True, True]
    assert not full.has_capacity()
    await _finish(full, *tasks)
    assert full.has_capacity()


async def test_wait_for_capacity_returns_at_once_with_capacity() -> None:
    waiter = Full(max_queued=0).wait()
    await settle()
    assert waiter.done()
    await waiter


async def test_without_a_queue_there_is_capacity_while_a_slot_is_free() -> None:
    full = Full(max_queued=0)
    assert full.has_capacity()
    task = await full.submit()
    assert not full.has_capacity()
    await _finish(full, task)
    assert full.has_capacity()


async def test_task_submitted_without_capacity_is_queued_and_not_dropped() -> None:
    full = Full(max_queued=1)
    tasks = [await full.submit() for _ in range(5)]
    full.gate.set()
    assert [(await task).exit_code for task in tasks] == [0] * 5


async def test_capacity_is_granted_in_fifo_order_and_to_no_new_caller() -> None:
    full = Full(max_queued=0)
    tasks = [await full.submit()]
    notified: list[int] = []

    async def submit_with_capacity(number: int) -> None:
        await full.admission.wait_for_capacity()
        notified.append(number)
        await full.admission.run(TaskRequest(("task",)))

    waiting = [asyncio.create_task(submit_with_capacity(number)) for number in range(3)]
    await settle()
    assert notified == []
    assert not full.has_capacity()
    full.gate.set()
    for task in (*tasks, *waiting):
        await task
    assert notified == [0, 1, 2]
    assert full.has_capacity()


async def test_notified_caller_that_submits_nothing_does_not_block_the_next() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    waiters = [full.wait() for _ in range(3)]
    await settle()
    assert not any(waiter.done() for waiter in waiters)
    await _finish(full, task)
    await settle()
    assert all(waiter.done() for waiter in waiters)


async def test_waiting_caller_cancelled_when_notified_does_not_block_the_next() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    cancelled, waiter = full.wait(), full.wait()
    await settle()
    full.gate.set()
    cancelled.cancel()
    await task
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await settle()
    assert waiter.done()


async def test_cancelled_place_is_skipped_and_loses_no_slot() -> None:
    full = Full(max_queued=10)
    tasks = [await full.submit() for _ in range(3)]
    full.gate.set()
    # Its coroutine has not resumed yet when the slot is passed on.
    tasks[1].cancel()
    assert (await tasks[0]).exit_code == 0
    assert (await tasks[2]).exit_code == 0
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert (await (await full.submit())).exit_code == 0


async def test_cancelled_waiting_caller_does_not_block_the_next() -> None:
    full = Full(max_queued=0)
    task = await full.submit()
    cancelled, waiter = full.wait(), full.wait()
    await settle()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await _finish(full, task)
    await settle()
    assert waiter.done()


@pytest.mark.parametrize("position", [1, 2])
async def test_cancelling_a_queued_task_frees_capacity_at_once(position: int) -> None:
    # Otherwise a client that queues many tasks and disconnects would block all others while a task runs for days.
    full = Full(max_queued=2)
    tasks = [await full.submit() for _ in range(3)]
    waiter = full.wait()
    await settle()
    assert not full.has_capacity()
    tasks.pop(position).cancel()
    await settle()
    assert full.has_capacity()
    assert waiter.done()
    await _finish(full, *tasks)


async def test_stopped_queued_tasks_leave_no_references() -> None:
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
