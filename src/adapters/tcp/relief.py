"""When memory is short: the answers of a client that holds more than its share go to the spool, until it does not."""

import asyncio
from collections.abc import Callable, Iterable

from ...domain.memory import MemoryHolder
from .context import ConnectionContext
from .exchange import Exchange
from .result_writer import ResultWriter


class Relief:
    """Moves the answers of one client that wait; calls `on_done` when the client holds less by that."""

    __slots__ = ("_log", "_on_done", "_store", "_task")

    def __init__(self, context: ConnectionContext, on_done: Callable[[], None]) -> None:
        self._store = context.store
        self._log = context.store_log
        self._on_done = on_done
        self._task: asyncio.Task[None] | None = None

    def start(self, holder: MemoryHolder, result_writer: ResultWriter, not_put: Iterable[Exchange]) -> None:
        """Begin with those that are `not_put` yet and go on with the last of the result writer, unless under way."""
        if self._task is None and self._store is not None:
            pipeline = [*not_put, *result_writer.waiting]
            self._task = asyncio.get_running_loop().create_task(self._run(holder, result_writer, pipeline))

    def close(self) -> None:
        """Stop: nobody waits for the answers any more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, holder: MemoryHolder, result_writer: ResultWriter, pipeline: list[Exchange]) -> None:
        before = holder.charged
        try:
            for exchange in pipeline:
                answer = exchange.answer
                if not holder.must_wait or self._store is None:
                    break
                if answer is None or not answer.movable:
                    continue
                await answer.spool(self._store)
                if exchange.answer is answer:
                    # It was not sent meanwhile.
                    result_writer.charge(exchange)
        except (OSError, MemoryError) as error:
            self._log.warning(reason=getattr(error, "strerror", None) or repr(error))
        finally:
            self._task = None
        # Otherwise the client would only find that it has to wait, and have this begun anew, for ever.
        if holder.charged < before:
            self._on_done()
