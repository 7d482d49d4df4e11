"""The lifecycle of a worker with a fake executor and without a listener: in which order it stops."""

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

    def __init__(self, events: list[str]) -> None:
        super().__init__(FakeClock())
        self._events = events

    async def __aenter__(self) -> Self:
        self._events.append("opened")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._events.append("closed")


class Worker:
    """`serve` in an asyncio task, and the supervisor's end of its control pipe."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.executor = OpenedExecutor(self.events)
        self.container = Container(
            executor=self.executor,
            clock=self.executor.clock,
            listeners=(),
            access=AccessPolicy(None),
            settings=Settings(drain_seconds=60.0),
        )
        self.reading, self.writing = os.pipe()
        self.control = ControlPipe(self.reading)
        self.task = asyncio.create_task(serve(self.container, self.control, lambda: self.events.append("accepting")))

    def send(self, command: bytes) -> None:
        os.write(self.writing, command)

    def lose_supervisor(self) -> None:
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
    await eventually(lambda: "accepting" in worker.events)
    yield worker
    await worker.close()


async def test_executor_is_opened_before_accepting_and_closed_after_the_stop(worker: Worker) -> None:
    assert worker.events == ["opened", "accepting"]
    worker.send(STOP)
    await worker.stopped()
    assert worker.events == ["opened", "accepting", "closed"]


async def test_worker_serves_until_it_is_stopped(worker: Worker) -> None:
    await settle()
    assert not worker.task.done()
    [task] = await worker.start("a")
    worker.executor.released.set()
    assert (await task).exit_code == 0


# Hazard 31.
async def test_stop_waits_for_running_tasks_and_starts_no_more(worker: Worker) -> None:
    [running] = await worker.start("a")
    worker.send(STOP)
    await eventually(worker.control.stop.is_set)
    await settle()
    late = await worker.container.intake().run(TaskRequest(("late",)))
    assert "stopping" in late.error
    assert not worker.task.done()
    worker.executor.released.set()
    await worker.stopped()
    assert (await running).exit_code == 0


# Hazard 31.
@pytest.mark.parametrize("commands", [[STOP, KILL], [KILL], [STOP + KILL]])
async def test_kill_command_kills_running_tasks_and_each_gets_a_result(worker: Worker, commands: list[bytes]) -> None:
    tasks = await worker.start("a", "b")
    with capture_logs() as logs:
        for command in commands:
            worker.send(command)
            await settle()
        await worker.stopped()
    assert ["killed" in (await task).error for task in tasks] == [True, True]
    assert logs[-1]["event"] == "stopped"
    assert (logs[-1]["killed"], logs[-1]["unanswered_clients"]) == (2, 0)


# Hazard 9.
async def test_death_of_the_supervisor_kills_tasks_stops_and_is_logged(worker: Worker) -> None:
    [task] = await worker.start("a")
    with capture_logs() as logs:
        worker.lose_supervisor()
        await worker.stopped()
    assert worker.control.supervisor_lost
    assert "killed" in (await task).error
    assert any("the supervisor has died" in log["event"] for log in logs)


async def test_death_of_the_supervisor_after_a_stop_kills_tasks(worker: Worker) -> None:
    [task] = await worker.start("a")
    worker.send(STOP)
    await eventually(worker.control.stop.is_set)
    assert not worker.control.kill.is_set()
    worker.lose_supervisor()
    await worker.stopped()
    assert "killed" in (await task).error


def test_unhandled_exception_is_logged() -> None:
    with capture_logs() as logs:
        on_unhandled({"message": "lost", "exception": LookupError("it")}, pytest.fail)
        on_unhandled({"message": "lost too"}, pytest.fail)
    assert [(log["event"], log["what"], log["log_level"]) for log in logs] == [
        ("unhandled", "lost", "error"),
        ("unhandled", "lost too", "error"),
    ]
    assert isinstance(logs[0]["exc_info"], LookupError)


async def test_executor_that_is_no_context_manager_is_used_as_it_is() -> None:
    reading, writing = os.pipe()
    clock = FakeClock()
    container = Container(executor=FakeTaskExecutor(clock), clock=clock, listeners=(), access=AccessPolicy(None))
    control = ControlPipe(reading)
    async with asyncio.timeout(BOUND_SECONDS):
        await serve(container, control, control.stop.set)
    assert not control.kill.is_set()
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
        ({"message": "without an exception"}, False),
    ],
)
def test_memory_error_in_a_callback_or_task_ends_the_worker(context: dict[str, object], *, ends: bool) -> None:
    broken: list[bool] = []
    with capture_logs() as logs:
        on_unhandled(context, lambda: broken.append(True))
    assert broken == [True] * ends
    assert [line["event"] for line in logs] == ["unhandled"]
