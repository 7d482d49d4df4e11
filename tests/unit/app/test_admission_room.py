import asyncio

import pytest
from fakes import FakeTaskIntake
from turns import settle

from execwire.app.admission import Admission
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
        return self.admission.has_room

    async def submit(self) -> asyncio.Task[TaskResult]:
        task = asyncio.create_task(self.admission.run(TaskRequest(("task",))))
        await settle()
        return task

    def watch(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.admission.room())


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


async def test_everybody_who_waits_for_room_is_told_as_soon_as_there_is_some() -> None:
    full = Full(max_queued=1)
    tasks = [await full.submit(), await full.submit()]
    watchers = [full.watch(), full.watch()]
    await settle()
    assert not any(watcher.done() for watcher in watchers)
    await _finish(full, *tasks)
    await settle()
    assert all(watcher.done() for watcher in watchers)


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
