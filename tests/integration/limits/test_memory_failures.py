"""Memory that runs out at any step of a task ends at most that task: it gets a result and leaves nothing.

The test raises a MemoryError in place of each call that the adapter makes for the task, one per run.
"""

import asyncio
import os

import executor_drivers
import pytest
from executor_driver import ExecutorDriver
from injection import Injection, injected
from proc import alive_with, children, descriptors, eventually

from execwire import adapters
from execwire.domain.control import TaskControl
from execwire.domain.task import TaskRequest

FOLDER = str(next(iter(adapters.__path__)))
BOUND_SECONDS = 10.0
# Unique to this run, since others may run at the same time.
MARKER = f"61.{os.getpid()}"
COMMANDS = {
    "short": (("sh", "-c", "echo text; exit 3"), None, 5),
    "large": (("head", "-c", "400000", "/dev/zero"), None, 11),
    "group": (("sh", "-c", "sleep 0.01 > /dev/null & exit 0"), None, 17),
    "timeout": (("sleep", MARKER), 20.0, 17),
}
"""The command, its timeout, and the distance between the steps that fail, chosen so that all runs take seconds."""


def ignore_report(_loop: asyncio.AbstractEventLoop, _context: dict[str, object]) -> None:
    """Ignore what the event loop reports to its exception handler."""


async def execute(driver: ExecutorDriver, request: TaskRequest, injection: Injection) -> None:
    """Run the request with the injected failure; it has to end, with a result or a MemoryError."""
    control = TaskControl()
    with injected(injection):
        task = asyncio.ensure_future(driver.executor.execute(request, control))
        done, _ = await asyncio.wait({task}, timeout=BOUND_SECONDS)
    assert done, injection.where
    if task.exception() is None:
        task.result().output.close()
    else:
        assert isinstance(task.exception(), MemoryError), injection.where


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", COMMANDS)
async def test_memory_error_at_any_step_ends_only_that_task(kind: str) -> None:
    command, timeout, stride = COMMANDS[kind]
    # Errors in callbacks reach only the event loop. They are ignored here: the test is that they end the task.
    asyncio.get_running_loop().set_exception_handler(ignore_report)
    async with executor_drivers.real() as driver:
        request = TaskRequest(command, timeout)
        (await driver.executor.execute(request)).output.close()
        before, others = descriptors(os.getpid()), set(children(os.getpid()))
        number, injection = 1, Injection(FOLDER, 1, MemoryError())
        while number == 1 or injection.where:
            injection = Injection(FOLDER, number, MemoryError())
            await execute(driver, request, injection)
            await eventually(lambda: len(descriptors(os.getpid())) <= len(before))
            await eventually(lambda: set(children(os.getpid())) <= others)
            number += stride
        assert number > 50
        # The next task runs.
        execution = await driver.executor.execute(TaskRequest(("printf", "next")))
        assert execution.output.in_memory == b"next"
        execution.output.close()
    assert alive_with(MARKER) == []
