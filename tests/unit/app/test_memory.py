"""When freed memory is handed back, with the allocators played by a test."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from fakes import FakeClock, FakeTaskExecutor
from proc import eventually
from turns import past, settle

from execwire.app import memory
from execwire.app.drain import Drain
from execwire.domain.task import TaskRequest

PAUSE = 0.002


class Trimming:
    """`hand_back` at work, and what it has asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.executor = FakeTaskExecutor(FakeClock())
        self.drain = Drain(self.executor, self.executor.clock)

    def library(self, name: str | None) -> object:
        assert name is None
        return self

    def malloc_trim(self, pad: int) -> int:
        assert pad == 0
        self.asked.append("trim")
        return 1

    def collect(self) -> int:
        self.asked.append("collect")
        return 0


def bare(_: None) -> object:
    """A C library that has no such call."""
    return SimpleNamespace()


@pytest.fixture
async def trimming(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trimming]:
    trimming = Trimming()
    with monkeypatch.context() as patch:
        patch.setattr(memory, "CHECK_SECONDS", PAUSE)
        patch.setattr(memory, "ctypes", SimpleNamespace(CDLL=trimming.library))
        patch.setattr(memory, "gc", SimpleNamespace(collect=trimming.collect))
        task = asyncio.create_task(memory.hand_back(trimming.drain))
        yield trimming
        task.cancel()
        await asyncio.wait({task})


async def test_an_agent_that_has_run_nothing_hands_nothing_back(trimming: Trimming) -> None:
    await past(5 * PAUSE)
    assert trimming.asked == []


async def test_after_tasks_have_run_memory_is_handed_back_once(trimming: Trimming) -> None:
    for _ in range(2):
        trimming.asked.clear()
        await trimming.drain.execute(TaskRequest(("true",)))
        await eventually(lambda: trimming.asked == ["collect", "trim"])
        await past(5 * PAUSE)
        assert trimming.asked == ["collect", "trim"]


async def test_while_a_task_runs_nothing_is_done(trimming: Trimming) -> None:
    running = asyncio.create_task(trimming.drain.execute(TaskRequest(("wait",))))
    await past(5 * PAUSE)
    assert trimming.asked == []
    trimming.executor.released.set()
    await running
    await eventually(lambda: trimming.asked == ["collect", "trim"])


async def test_a_c_library_without_that_call_is_done_without(
    monkeypatch: pytest.MonkeyPatch, trimming: Trimming
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(memory, "ctypes", SimpleNamespace(CDLL=bare))
        task = asyncio.create_task(memory.hand_back(trimming.drain))
        await settle()
    await trimming.drain.execute(TaskRequest(("true",)))
    await eventually(lambda: sorted(trimming.asked) == ["collect", "collect", "trim"])
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
