"""The lifecycle of a worker: open everything, accept, and stop in an order in which no result is lost."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self

import structlog
import uvloop

from ...adapters.linux.signal_name import signal_name
from ...adapters.subprocess.executor import SubprocessExecutor
from ..control_pipe import KILL
from ..scoreboard import ACCEPTING
from ..stop_signals import unused_signals_reported
from .container import Container
from .heartbeat import Heartbeat
from .trim import trim_when_idle

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

GARBAGE_THRESHOLD = 10_000
DELIVERY_SECONDS = 5.0
"""How long clients may take to read their results after the last task has ended."""
KILL_DELIVERY_SECONDS = 0.5
"""The same, after an immediate shutdown was requested."""
_CONNECTION = {"protocol", "transport"}
"""Keys of an exception's context (loop.call_exception_handler) for which the event loop closes the connection."""


def run(
    container: Container, control: int, on_accepting: Callable[[], object], on_broken: Callable[[], object]
) -> None:
    """Serve until stopped; `control` is the descriptor of control commands that Supervisor's `work` gets.

    `on_broken` ends the process at once: the event loop has lost an event, and it is unknown which one.
    """
    # Objects that exist now are permanent, so no collection has to examine them. Nearly all objects of a task are freed
    # by reference counts.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: on_unhandled(context, on_broken))
        runner.run(serve(container, ControlPipe(control), on_accepting))


def on_unhandled(context: dict[str, Any], on_broken: Callable[[], object]) -> None:
    """Log an unhandled exception; a MemoryError in a callback or an asyncio task ends the process.

    What it has lost is unknown, and other tasks may wait for it. If it happened in a connection's callback, the event
    loop closes that connection instead.
    """
    exception = context.get("exception")
    try:
        _log.error("unhandled", exc_info=exception, what=context.get("message", ""))
    finally:
        if isinstance(exception, MemoryError) and not _CONNECTION.intersection(context):
            on_broken()


class ControlPipe:
    """Control commands from the supervisor: `stop` and `kill` are set by them; the supervisor's death sets both."""

    def __init__(self, descriptor: int) -> None:
        """Read control commands from `descriptor`."""
        self._descriptor = descriptor
        self.stop = asyncio.Event()
        self.kill = asyncio.Event()
        self.supervisor_lost = False

    def __enter__(self) -> Self:
        """Start reading."""
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop reading."""
        asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self) -> None:
        commands = os.read(self._descriptor, 16)
        self.stop.set()
        if not commands:
            _log.error("the supervisor has died; killing all tasks and stopping")
            self.supervisor_lost = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        if not commands or KILL in commands:
            self.kill.set()


async def serve(container: Container, control: ControlPipe, on_accepting: Callable[[], object]) -> None:
    """Serve on the container's listeners until stopped by `control`."""
    loop = asyncio.get_running_loop()
    executor, drain, server = container.executor(), container.drain(), container.server()
    async with AsyncExitStack() as stack:
        stack.enter_context(control)
        stack.enter_context(unused_signals_reported(_report_unused))
        if isinstance(executor, AbstractAsyncContextManager):
            await stack.enter_async_context(executor)
        await stack.enter_async_context(server)
        if (siblings := container.siblings()) is not None:
            disk = executor.disk if isinstance(executor, SubprocessExecutor) else None
            clock, memory = container.clock(), container.memory()
            heartbeat = Heartbeat(siblings.row, siblings.others, clock, memory, disk)
            heartbeat.start()
            stack.callback(heartbeat.stop)
            siblings.row[ACCEPTING] = 1
        on_accepting()
        trimming = loop.create_task(trim_when_idle())
        stack.callback(trimming.cancel)
        await control.stop.wait()
        # New connections are rejected first, so that the number of pending results only falls.
        server.begin_shutdown()
        if drain.running and not control.kill.is_set():
            _log.info(
                "waiting for running tasks; a second SIGINT or SIGTERM kills them",
                tasks=drain.running,
                seconds=container.settings().drain_seconds,
            )
        with _on_event(control.kill, drain.kill):
            killed = await drain.drain(container.settings().drain_seconds)
        # Then wait until clients have read the results of the ended tasks.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.0 if control.supervisor_lost else DELIVERY_SECONDS) as limit:
                with _on_event(control.kill, lambda: limit.reschedule(loop.time() + KILL_DELIVERY_SECONDS)):
                    await server.wait_closed()
        _log.info("stopped", killed=killed, unanswered_clients=server.unanswered)


@contextlib.contextmanager
def _on_event(event: asyncio.Event, callback: Callable[[], object]) -> Generator[None, None, None]:
    """Within the block, call `callback` when the event is set."""

    async def wait() -> None:
        await event.wait()
        callback()

    waiting = asyncio.get_running_loop().create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()


def _report_unused(number: int) -> None:
    _log.info("signal ignored: the agent does not use it", signal=signal_name(number))
