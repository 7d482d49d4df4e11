"""Helpers to run a task of an executor concurrently, to cancel it and to read its output."""

import asyncio

import pytest
from executor_driver import ExecutorDriver

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Execution
from execwire.domain.output import CHUNK_BYTES, CapturedOutput
from execwire.domain.task import TaskRequest


async def text_of(output: CapturedOutput) -> bytes:
    """Read all of it and close it."""
    chunks = [chunk async for chunk in output.chunks()]
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    data = b"".join(chunks)
    assert len(data) == output.size
    output.close()
    return data


def executing(
    driver: ExecutorDriver, command: tuple[str, ...], control: TaskControl | None = None
) -> asyncio.Task[Execution]:
    return asyncio.create_task(driver.executor.execute(TaskRequest(command), control))


async def cancelled(task: asyncio.Task[Execution]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
