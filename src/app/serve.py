"""The agent's life: open everything, accept, and at a signal stop in an order in which nobody loses an answer."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import structlog
import uvloop

from ..adapters.tcp.server import address_of
from .container import Container

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GARBAGE_THRESHOLD = 10_000
DELIVERY_SECONDS = 5.0
"""How long clients may take, after the last task has ended, to read what they are owed."""


def run(container: Container) -> None:
    """Serve until a stop signal has been obeyed."""
    # What is alive now stays alive: no collection has to look at it again. Per task nearly everything goes by itself.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(container))


async def serve(container: Container) -> None:
    """Serve on the container's listener until a signal; a second one cuts the drain short."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: log.error("unhandled", **_printable(context)))
    listener: socket.socket = container.listener()
    executor, drain, server = container.executor(), container.drain(), container.server()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def stop_or_hurry(number: int) -> None:
        log.info("stopping", signal=signal.Signals(number).name, now=stop.is_set())
        (hurry if stop.is_set() else stop).set()

    async with AsyncExitStack() as stack:
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop_or_hurry, number)
            stack.callback(loop.remove_signal_handler, number)
        if isinstance(executor, AbstractAsyncContextManager):
            await stack.enter_async_context(executor)
        await stack.enter_async_context(server)
        address = address_of(listener)
        log.info(f"listening on {address}", address=address)  # noqa: G004 -- read by people and by scripts
        await stop.wait()
        # First nobody new, so that the number of answers that are owed only falls.
        server.leave()
        killing = loop.create_task(_kill_when(hurry, drain.kill))
        killed = await drain.drain(container.settings().drain_seconds)
        killing.cancel()
        # Then what the ended tasks have to say, while the clients read it.
        unanswered = await server.answered(DELIVERY_SECONDS)
        log.info("stopped", killed=killed, unanswered_clients=unanswered)


async def _kill_when(hurry: asyncio.Event, kill: Callable[[], int]) -> None:
    await hurry.wait()
    kill()


def _printable(context: dict[str, Any]) -> dict[str, Any]:
    exception = context.get("exception")
    return {"exc_info": exception, "what": context.get("message", "")}
