"""Fixtures: a driver for each TaskExecutor, and a unique name for a process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import executor_drivers
import pytest
from executor_driver import ExecutorDriver

Opener = Callable[[], AbstractAsyncContextManager[ExecutorDriver]]


@pytest.fixture(params=[executor_drivers.real, executor_drivers.fake], ids=["real", "fake"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[ExecutorDriver]:
    opener: Opener = request.param
    async with opener() as driver:
        yield driver


@pytest.fixture
def name() -> str:
    return f"execwire-test-{uuid4().hex}"
