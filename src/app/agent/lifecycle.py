"""The agent's life: open everything, accept, and at a signal stop in an order in which nobody loses an answer."""

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
from ..control_pipe import KILL
from ..stop_signals import unused_signals_reported
from .container import Container
from .trim import trim_when_idle

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

GARBAGE_THRESHOLD = 10_000
DELIVERY_SECONDS = 5.0
"""How long clients may take, after the last task has ended, to read what they are owed."""
KILL_DELIVERY_SECONDS = 0.5
"""The same, from the order to hurry."""
_CONNECTION = {"protocol", "transport"}
"""What the context of an exception names (loop.call_exception_handler) where it closes a connection."""


def run(
    container: Container, control: int, on_accepting: Callable[[], object], on_broken: Callable[[], object]
) -> None:
    """Serve until a stop has been ordered and obeyed; `orders` is as Supervisor's `work` takes it.

    `on_broken` ends the process at once: the event loop has lost something, nobody knows what.
    """
    # What is alive now stays alive: no collection has to look at it again. Per task nearly everything goes by itself.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: on_unhandled(context, on_broken))
        runner.run(serve(container, ControlPipe(control), on_accepting))


def on_unhandled(context: dict[str, Any], on_broken: Callable[[], object]) -> None:
    """Log what nothing else has handled; a callback or a task that found no memory is the end of the process.

    What was lost with it nobody knows, and somebody may wait for it. A connection is closed by the event loop instead.
    """
    exception = context.get("exception")
    try:
        _log.error("unhandled", exc_info=exception, what=context.get("message", ""))
    finally:
        if isinstance(exception, MemoryError) and not _CONNECTION.intersection(context):
            on_broken()


class ControlPipe:
    """What the supervisor wants: to `stop`, and to `hurry`; its death means both."""

    def __init__(self, descriptor: int) -> None:
        """Read orders from `descriptor`."""
        self._descriptor = descriptor
        self.stop = asyncio.Event()
        self.kill = asyncio.Event()
        self.supervisor_lost = False

    def __enter__(self) -> Self:
        """Listen."""
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self) -> None:
        order = os.read(self._descriptor, 16)
        self.stop.set()
        if not order:
            _log.error("the supervisor has died; killing all tasks and stopping")
            self.supervisor_lost = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        if not order or KILL in order:
            self.kill.set()


async def serve(container: Container, control: ControlPipe, on_accepting: Callable[[], object]) -> None:
    """Serve on the container's listener until ordered to stop."""
    loop = asyncio.get_running_loop()
    executor, drain, server = container.executor(), container.drain(), container.server()
    async with AsyncExitStack() as stack:
        stack.enter_context(control)
        stack.enter_context(unused_signals_reported(_report_unused))
        if isinstance(executor, AbstractAsyncContextManager):
            await stack.enter_async_context(executor)
        await stack.enter_async_context(server)
        on_accepting()
        handing_back = loop.create_task(trim_when_idle())
        stack.callback(handing_back.cancel)
        await control.stop.wait()
        # First nobody new, so that the number of answers that are owed only falls.
        server.begin_shutdown()
        if drain.running and not control.kill.is_set():
            _log.info(
                "waiting for running tasks; a second SIGINT or SIGTERM kills them",
                tasks=drain.running,
                seconds=container.settings().drain_seconds,
            )
        with _on_event(control.kill, drain.kill):
            killed = await drain.drain(container.settings().drain_seconds)
        # Then what the ended tasks have to say, while the clients read it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.0 if control.supervisor_lost else DELIVERY_SECONDS) as limit:
                with _on_event(control.kill, lambda: limit.reschedule(loop.time() + KILL_DELIVERY_SECONDS)):
                    await server.wait_closed()
        _log.info("stopped", killed=killed, unanswered_clients=server.unanswered)


@contextlib.contextmanager
def _on_event(event: asyncio.Event, then: Callable[[], object]) -> Generator[None, None, None]:
    """Within the block, call `then` as soon as the event is set."""

    async def wait() -> None:
        await event.wait()
        then()

    waiting = asyncio.get_running_loop().create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()


def _report_unused(number: int) -> None:
    _log.info("signal ignored: the agent does not use it", signal=signal_name(number))
