"""A command that runs but cannot be watched or signalled: it is killed, gets a result, and leaves nothing."""

import asyncio
import os

import executor_drivers
import pytest
from proc import alive_with, children, descriptors, eventually

from execwire.adapters.subprocess import process_starter
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import ResultLost, TimedOut
from execwire.domain.task import TaskRequest

# Unique to this run, since others may run at the same time.
SECONDS = f"63.{os.getpid()}"


async def check_nothing_left(before: list[str], children_before: list[int]) -> None:
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
            patch.setattr(process_starter, "Process", Unwatchable)
            async with asyncio.timeout(10):
                execution = await driver.executor.execute(TaskRequest(("sleep", SECONDS)))
        assert isinstance(execution.outcome, ResultLost)
        await check_nothing_left(before, children_before)


async def test_command_whose_group_may_not_be_signalled_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []

    def refuse(group: int, _: int) -> None:
        groups.append(group)
        raise PermissionError

    async with executor_drivers.real() as driver:
        (await driver.executor.execute(TaskRequest(("sleep", "0")))).output.close()
        before, children_before = descriptors(os.getpid()), children(os.getpid())
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", refuse)
            async with asyncio.timeout(10):
                execution = await driver.executor.execute(TaskRequest(("sleep", SECONDS), 100.0))
        assert execution.outcome == TimedOut()
        assert groups
        await check_nothing_left(before, children_before)
