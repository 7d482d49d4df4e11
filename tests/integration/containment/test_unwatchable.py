"""A command that runs, but cannot be watched or signalled: it is ended and answered, and nothing of it stays."""

import asyncio
import os

import executor_drivers
import pytest
from proc import alive_with, children, descriptors, eventually

from execwire.adapters.subprocess import executor
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import OutputLost, TimedOut
from execwire.domain.task import TaskRequest

# Of this run: others may go on beside it.
SECONDS = f"63.{os.getpid()}"


async def nothing_stays(before: list[str], children_before: list[int]) -> None:
    await eventually(lambda: len(descriptors(os.getpid())) <= len(before))
    await eventually(lambda: set(children(os.getpid())) <= set(children_before))
    assert alive_with(SECONDS) == []


async def test_command_that_cannot_be_watched_for_lack_of_memory_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unwatchable(Process):
        __slots__ = ()

        def __init__(self, *_: object) -> None:
            raise MemoryError

    async with executor_drivers.real() as driver:
        (await driver.executor.execute(TaskRequest(("sleep", "0")))).output.close()
        before, children_before = descriptors(os.getpid()), children(os.getpid())
        with monkeypatch.context() as patch:
            patch.setattr(executor, "Process", Unwatchable)
            async with asyncio.timeout(10):
                execution = await driver.executor.execute(TaskRequest(("sleep", SECONDS)))
        assert isinstance(execution.outcome, OutputLost)
        await nothing_stays(before, children_before)


async def test_command_whose_group_may_not_be_signalled_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(group: int, _: int) -> None:
        asked.append(group)
        raise PermissionError

    async with executor_drivers.real() as driver:
        (await driver.executor.execute(TaskRequest(("sleep", "0")))).output.close()
        before, children_before = descriptors(os.getpid()), children(os.getpid())
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", refuse)
            async with asyncio.timeout(10):
                execution = await driver.executor.execute(TaskRequest(("sleep", SECONDS), 100.0))
        assert execution.outcome == TimedOut()
        assert asked
        await nothing_stays(before, children_before)
