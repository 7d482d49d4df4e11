"""When freed memory is handed back, with the allocators and the CPU time played by a test."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from event_loop import past
from proc import eventually

from execwire.app.agent import trim as memory

PAUSE = 0.002
LONG = 1000.0


class Trimming:
    """`trim_when_idle` at work, and what it has asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.seconds = 0.0
        # What the process uses of a processor at each look, and each time that memory is handed back.
        self.load = 0.0
        self.price = 0.0

    def process_time(self) -> float:
        self.seconds += self.load
        return self.seconds

    def library(self, name: str | None) -> object:
        assert name is None
        return self

    def malloc_trim(self, pad: int) -> int:
        assert pad == 0
        self.asked.append("trim")
        self.seconds += self.price
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
        patch.setattr(memory, "BUSY_SECONDS", LONG)
        patch.setattr(memory, "ctypes", SimpleNamespace(CDLL=trimming.library))
        patch.setattr(memory, "gc", SimpleNamespace(collect=trimming.collect))
        patch.setattr(memory, "time", trimming)
        yield trimming


@pytest.fixture
async def handing_back(trimming: Trimming) -> AsyncIterator[asyncio.Task[None]]:
    assert trimming.asked == []
    task = asyncio.create_task(memory.trim_when_idle())
    await asyncio.sleep(0)
    yield task
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.usefixtures("handing_back")
async def test_an_agent_that_has_done_nothing_hands_nothing_back(trimming: Trimming) -> None:
    await past(5 * PAUSE)
    assert trimming.asked == []


@pytest.mark.usefixtures("handing_back")
async def test_after_work_memory_is_handed_back_once_whatever_runs_meanwhile(trimming: Trimming) -> None:
    for _ in range(2):
        trimming.asked.clear()
        trimming.seconds += memory.WORK_SECONDS
        await eventually(lambda: trimming.asked == ["collect", "trim"])
        await past(5 * PAUSE)
        assert trimming.asked == ["collect", "trim"]


@pytest.mark.usefixtures("handing_back")
async def test_under_load_it_waits_for_a_quiet_moment(trimming: Trimming) -> None:
    trimming.load = 1.0
    await past(5 * PAUSE)
    assert trimming.asked == []
    trimming.load = 0.0
    await eventually(lambda: trimming.asked == ["collect", "trim"])


async def test_under_endless_load_it_comes_once_in_so_long(trimming: Trimming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "BUSY_SECONDS", 10 * PAUSE)
    monkeypatch.setattr(memory, "WORK_SECONDS", 0.0)
    trimming.load = 2 * memory.QUIET_SHARE * PAUSE
    task = asyncio.create_task(memory.trim_when_idle())
    await past(5 * PAUSE)
    assert trimming.asked == []
    await eventually(lambda: len(trimming.asked) >= 4)
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.usefixtures("handing_back")
async def test_the_more_it_takes_the_more_seldom_it_comes(trimming: Trimming) -> None:
    trimming.price = LONG * memory.MAX_SHARE
    for _ in range(5):
        trimming.seconds += memory.WORK_SECONDS
        await past(3 * PAUSE)
    assert trimming.asked == ["collect", "trim"]


async def test_a_c_library_without_that_call_is_done_without(
    trimming: Trimming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "ctypes", SimpleNamespace(CDLL=bare))
    task = asyncio.create_task(memory.trim_when_idle())
    await asyncio.sleep(0)
    trimming.seconds += memory.WORK_SECONDS
    await eventually(lambda: trimming.asked == ["collect"])
    await past(2 * PAUSE)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
