"""When freed memory is returned, with fake allocators and a fake CPU time."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from event_loop import past
from proc import eventually

from execwire.app.agent import trim

PAUSE = 0.002
LONG = 1000.0


class Trimming:
    """The allocators and the CPU time for `trim_when_idle`, and the calls that it has made."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seconds = 0.0
        # The CPU time that passes at each check, and at each trim.
        self.load = 0.0
        self.cost = 0.0

    def process_time(self) -> float:
        self.seconds += self.load
        return self.seconds

    def library(self, name: str | None) -> object:
        assert name is None
        return self

    def malloc_trim(self, pad: int) -> int:
        assert pad == 0
        self.calls.append("trim")
        self.seconds += self.cost
        return 1

    def collect(self) -> int:
        self.calls.append("collect")
        return 0


def bare(_: None) -> object:
    """Return a C library without malloc_trim."""
    return SimpleNamespace()


@pytest.fixture
async def trimming(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trimming]:
    trimming = Trimming()
    with monkeypatch.context() as patch:
        patch.setattr(trim, "CHECK_SECONDS", PAUSE)
        patch.setattr(trim, "BUSY_SECONDS", LONG)
        patch.setattr(trim, "ctypes", SimpleNamespace(CDLL=trimming.library))
        patch.setattr(trim, "gc", SimpleNamespace(collect=trimming.collect))
        patch.setattr(trim, "time", trimming)
        yield trimming


@pytest.fixture
async def running_trim(trimming: Trimming) -> AsyncIterator[asyncio.Task[None]]:
    assert trimming.calls == []
    task = asyncio.create_task(trim.trim_when_idle())
    await asyncio.sleep(0)
    yield task
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.usefixtures("running_trim")
async def test_idle_agent_does_not_trim(trimming: Trimming) -> None:
    await past(5 * PAUSE)
    assert trimming.calls == []


@pytest.mark.usefixtures("running_trim")
async def test_memory_is_trimmed_once_after_work(trimming: Trimming) -> None:
    for _ in range(2):
        trimming.calls.clear()
        trimming.seconds += trim.WORK_SECONDS
        await eventually(lambda: trimming.calls == ["collect", "trim"])
        await past(5 * PAUSE)
        assert trimming.calls == ["collect", "trim"]


@pytest.mark.usefixtures("running_trim")
async def test_trim_under_load_waits_until_the_agent_is_idle(trimming: Trimming) -> None:
    trimming.load = 1.0
    await past(5 * PAUSE)
    assert trimming.calls == []
    trimming.load = 0.0
    await eventually(lambda: trimming.calls == ["collect", "trim"])


async def test_trim_under_constant_load_happens_at_the_busy_interval(
    trimming: Trimming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "BUSY_SECONDS", 10 * PAUSE)
    monkeypatch.setattr(trim, "WORK_SECONDS", 0.0)
    trimming.load = 2 * trim.QUIET_SHARE * PAUSE
    task = asyncio.create_task(trim.trim_when_idle())
    await past(5 * PAUSE)
    assert trimming.calls == []
    await eventually(lambda: len(trimming.calls) >= 4)
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.usefixtures("running_trim")
async def test_expensive_trim_happens_less_often(trimming: Trimming) -> None:
    trimming.cost = LONG * trim.MAX_SHARE
    for _ in range(5):
        trimming.seconds += trim.WORK_SECONDS
        await past(3 * PAUSE)
    assert trimming.calls == ["collect", "trim"]


async def test_c_library_without_malloc_trim_is_supported(trimming: Trimming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trim, "ctypes", SimpleNamespace(CDLL=bare))
    task = asyncio.create_task(trim.trim_when_idle())
    await asyncio.sleep(0)
    trimming.seconds += trim.WORK_SECONDS
    await eventually(lambda: trimming.calls == ["collect"])
    await past(2 * PAUSE)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
