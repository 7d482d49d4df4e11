import gc

import pytest
from phrasebooks import real

from execwire.adapters.subprocess.capture import Capture
from execwire.adapters.subprocess.process import Process
from execwire.domain.task import TaskRequest


@pytest.mark.parametrize(
    ("script", "timeout_ms"),
    [
        ("echo hello", None),
        ("head -c 1000000 /dev/zero", None),
        ("echo hello; sleep 3600", 100),
        ("sleep 3600 & echo hello", None),
        ("head -c 1000000 /dev/zero; sleep 3600", 300),
    ],
)
async def test_an_ended_task_takes_no_memory_until_the_collector_comes_by(
    script: str, timeout_ms: float | None
) -> None:
    # Hazard 11. The collector comes seldom, and what waits for it has the task's output in its hands.
    async with real() as phrases:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                execution = await phrases.executor.execute(TaskRequest(("sh", "-c", script), timeout_ms))
                execution.output.close()
            left = [thing for thing in gc.get_objects() if isinstance(thing, Process | Capture)]
        finally:
            gc.enable()
    assert left == []
