import asyncio
import gc
import json
import resource

import pytest
from executor_drivers import real
from proc import eventually

from execwire.adapters.subprocess.executor import SubprocessExecutor
from execwire.adapters.subprocess.output.capture import Capture
from execwire.adapters.subprocess.process import Process
from execwire.adapters.tcp.access import AccessPolicy
from execwire.adapters.tcp.connection import Connection
from execwire.adapters.tcp.flow_control import ReadFlow
from execwire.adapters.tcp.listener import open_listeners
from execwire.adapters.tcp.liveness import Liveness
from execwire.adapters.tcp.pipeline import Pipeline
from execwire.adapters.tcp.result_writer import ResultWriter
from execwire.app.agent.container import Container
from execwire.domain.task import TaskRequest
from execwire.protocol.framing import LineFramer


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
async def test_ended_task_is_freed_without_garbage_collection(script: str, timeout_ms: float | None) -> None:
    # Hazard 11. The garbage collector runs rarely, and objects that wait for it keep the task's output alive.
    async with real() as driver:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                execution = await driver.executor.execute(TaskRequest(("sh", "-c", script), timeout_ms))
                execution.output.close()
            # The ExitWatcher knows ended processes until its second tick after that.
            await eventually(lambda: not any(isinstance(item, Process | Capture) for item in gc.get_objects()))
        finally:
            gc.enable()


CONNECTION_PARTS = Connection | Pipeline | ResultWriter | Liveness | ReadFlow | LineFramer


@pytest.mark.parametrize("command", [["true"], ["sleep", "3600"], []])
async def test_disconnected_client_is_freed_without_garbage_collection(command: list[str]) -> None:
    # Hazard 26.
    [listener] = open_listeners("127.0.0.1", 0)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    container = Container(listeners=(listener,), access=AccessPolicy(None), descriptor_limit=limit)
    executor, server = container.executor(), container.server()
    assert isinstance(executor, SubprocessExecutor)
    gc.collect()
    # Other tests may have left some, for example in the traceback of an exception used as a parameter.
    earlier = {id(part) for part in parts()}
    gc.disable()
    try:
        async with executor, server:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(json.dumps({"command": command, "timeout": 50}).encode() + b"\n")
            await reader.readline()
            writer.close()
            await eventually(lambda: server.unanswered == 0 and {*map(id, parts())} <= earlier)
    finally:
        gc.enable()
        listener.close()
    assert {*map(id, parts())} <= earlier


def parts() -> list[object]:
    return [item for item in gc.get_objects() if isinstance(item, CONNECTION_PARTS)]
