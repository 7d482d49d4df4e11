"""The life of a worker over a fake executor and without a listener: in which order it stops."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Self

import pytest
from event_loop import settle
from proc import eventually
from structlog.testing import capture_logs

from execwire.adapters.tcp.access import AccessPolicy
from execwire.app.agent.container import Container
from execwire.app.agent.lifecycle import ControlPipe, on_unhandled, serve
from execwire.app.control_pipe import KILL, STOP
from execwire.app.settings.model import Settings
from execwire.domain.task import TaskRequest, TaskResult
from execwire.testing import FakeClock, FakeTaskExecutor

BOUND_SECONDS = 10.0


class OpenedExecutor(FakeTaskExecutor):
    """A FakeTaskExecutor that is opened and closed, as the real one is."""

    def __init__(self, happened: list[str]) -> None:
        super().__init__(FakeClock())
        self._happened = happened

    async def __aenter__(self) -> Self:
        self._happened.append("opened")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._happened.append("closed")


class Worker:
    """`serve` in a task, and the supervisor's end of its orders."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.executor = OpenedExecutor(self.happened)
        self.container = Container(
            executor=self.executor,
            clock=self.executor.clock,
            listeners=(),
            access=AccessPolicy(None),
            settings=Settings(drain_seconds=60.0),
        )
        self.reading, self.writing = os.pipe()
        self.orders = ControlPipe(self.reading)
        self.task = asyncio.create_task(serve(self.container, self.orders, lambda: self.happened.append("accepting")))

    def order(self, order: bytes) -> None:
        os.write(self.writing, order)

    def abandon(self) -> None:
        os.close(self.writing)
        self.writing = -1

    async def start(self, *names: str) -> list[asyncio.Task[TaskResult]]:
        intake = self.container.intake()
        tasks = [asyncio.create_task(intake.run(TaskRequest(("wait", name)))) for name in names]
        await eventually(lambda: len(self.executor.running) == len(names))
        return tasks

    async def stopped(self) -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            await self.task

    async def close(self) -> None:
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
        os.close(self.reading)
        if self.writing >= 0:
            os.close(self.writing)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    await eventually(lambda: "accepting" in worker.happened)
    yield worker
    await worker.close()


async def test_everything_is_open_before_it_accepts_and_closed_after_it_has_stopped(worker: Worker) -> None:
    assert worker.happened == ["opened", "accepting"]
    worker.order(STOP)
    await worker.stopped()
    assert worker.happened == ["opened", "accepting", "closed"]


async def test_without_an_order_it_serves_on(worker: Worker) -> None:
    await settle()
    assert not worker.task.done()
    [task] = await worker.start("a")
    worker.executor.released.set()
    assert (await task).exit_code == 0


# Hazard 31.
async def test_a_stop_lets_running_tasks_end_and_starts_no_more(worker: Worker) -> None:
    [running] = await worker.start("a")
    worker.order(STOP)
    await eventually(worker.orders.stop.is_set)
    await settle()
    late = await worker.container.intake().run(TaskRequest(("late",)))
    assert "stopping" in late.error
    assert not worker.task.done()
    worker.executor.released.set()
    await worker.stopped()
    assert (await running).exit_code == 0


# Hazard 31.
@pytest.mark.parametrize("orders", [[STOP, KILL], [KILL], [STOP + KILL]])
async def test_a_hurry_kills_what_runs_and_each_is_answered(worker: Worker, orders: list[bytes]) -> None:
    tasks = await worker.start("a", "b")
    with capture_logs() as logs:
        for order in orders:
            worker.order(order)
            await settle()
        await worker.stopped()
    assert ["killed" in (await task).error for task in tasks] == [True, True]
    assert logs[-1]["event"] == "stopped"
    assert (logs[-1]["killed"], logs[-1]["unanswered_clients"]) == (2, 0)


# Hazard 9.
async def test_the_supervisors_death_is_a_stop_and_a_hurry_and_is_logged(worker: Worker) -> None:
    [task] = await worker.start("a")
    with capture_logs() as logs:
        worker.abandon()
        await worker.stopped()
    assert worker.orders.supervisor_lost
    assert "killed" in (await task).error
    assert any("the supervisor has died" in log["event"] for log in logs)


async def test_the_supervisors_death_after_a_stop_is_a_hurry(worker: Worker) -> None:
    [task] = await worker.start("a")
    worker.order(STOP)
    await eventually(worker.orders.stop.is_set)
    assert not worker.orders.kill.is_set()
    worker.abandon()
    await worker.stopped()
    assert "killed" in (await task).error


def test_what_nobody_has_caught_is_logged() -> None:
    with capture_logs() as logs:
        on_unhandled({"message": "lost", "exception": LookupError("it")}, pytest.fail)
        on_unhandled({"message": "lost too"}, pytest.fail)
    assert [(log["event"], log["what"], log["log_level"]) for log in logs] == [
        ("unhandled", "lost", "error"),
        ("unhandled", "lost too", "error"),
    ]
    assert isinstance(logs[0]["exc_info"], LookupError)


async def test_an_executor_that_needs_no_opening_is_taken_as_it_is() -> None:
    reading, writing = os.pipe()
    clock = FakeClock()
    container = Container(executor=FakeTaskExecutor(clock), clock=clock, listeners=(), access=AccessPolicy(None))
    orders = ControlPipe(reading)
    async with asyncio.timeout(BOUND_SECONDS):
        await serve(container, orders, orders.stop.set)
    assert not orders.kill.is_set()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("context", "ends"),
    [
        ({"exception": MemoryError(), "handle": object()}, True),
        ({"exception": MemoryError()}, True),
        ({"exception": MemoryError(), "transport": object(), "protocol": object()}, False),
        ({"exception": MemoryError(), "future": object()}, True),
        ({"exception": ValueError(), "handle": object()}, False),
        ({"message": "what has no exception"}, False),
    ],
)
def test_a_callback_or_a_task_that_found_no_memory_ends_the_worker(context: dict[str, object], *, ends: bool) -> None:
    broken: list[bool] = []
    with capture_logs() as logs:
        on_unhandled(context, lambda: broken.append(True))
    assert broken == [True] * ends
    assert [line["event"] for line in logs] == ["unhandled"]
