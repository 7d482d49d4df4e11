"""Under memory pressure: moves answers of a client that uses more than its share to the spool."""

import asyncio
from collections.abc import Callable, Iterable

from ...domain.memory import MemoryHolder
from .context import ConnectionContext
from .exchange import Exchange
from .result_writer import ResultWriter


class Relief:
    """Moves the waiting answers of one client; calls `on_done` if the client uses less memory afterwards."""

    __slots__ = ("_log", "_on_done", "_store", "_task")

    def __init__(self, context: ConnectionContext, on_done: Callable[[], None]) -> None:
        self._store = context.store
        self._log = context.store_log
        self._on_done = on_done
        self._task: asyncio.Task[None] | None = None

    def start(self, holder: MemoryHolder, result_writer: ResultWriter, unwritten: Iterable[Exchange]) -> None:
        """Move answers, unless this is running: first of `unwritten`, then of the result writer, the last one first."""
        if self._task is None and self._store is not None:
            exchanges = [*unwritten, *result_writer.waiting]
            self._task = asyncio.get_running_loop().create_task(self._run(holder, result_writer, exchanges))

    def close(self) -> None:
        """Stop: the client has disconnected."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, holder: MemoryHolder, result_writer: ResultWriter, exchanges: list[Exchange]) -> None:
        before = holder.charged
        try:
            for exchange in exchanges:
                answer = exchange.answer
                if not holder.must_wait or self._store is None:
                    break
                if answer is None or not answer.movable:
                    continue
                await answer.spool(self._store)
                if exchange.answer is answer:
                    # It has not been sent in the meantime.
                    result_writer.charge(exchange)
        except (OSError, MemoryError) as error:
            self._log.warning(reason=getattr(error, "strerror", None) or repr(error))
        finally:
            self._task = None
        # Otherwise the client would still have to wait and start this again, in an endless loop.
        if holder.charged < before:
            self._on_done()
