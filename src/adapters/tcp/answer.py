"""A result that has to wait: encoded, so that it needs little memory, and moved to the spool if memory is short."""

from collections.abc import AsyncGenerator, AsyncIterator

import structlog

from ...domain.output import CapturedOutput
from ...domain.ports.overflow import OverflowStore
from ...domain.task import TaskResult
from ...protocol.requests import RequestId
from ...protocol.results import ESCAPE_BYTES, encode_anyway, encode_ends, escape, failed

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

WORTH_SPOOLING_BYTES = 4096
"""Smaller answers stay in memory: a file needs about as much memory."""


class Answer:
    """The line of one result; owns its output, which `close` releases."""

    __slots__ = ("_head", "_output", "_sending", "_tail")

    def __init__(self, head: bytes, output: CapturedOutput | None = None, tail: bytes = b"") -> None:
        """Take the line as it is sent: complete in `head`, or with an output, not escaped yet, between the two."""
        self._head: bytes | CapturedOutput = head
        self._output = output
        self._tail = tail
        # It is being sent, or was closed, and must not be spooled any more.
        self._sending = False

    @property
    def line(self) -> bytes | None:
        """The complete line, if it is in memory and small enough to be written at once."""
        return self._head if isinstance(self._head, bytes) and self._output is None and self.is_small else None

    @property
    def is_small(self) -> bool:
        """Whether its part in memory is at most one piece."""
        return self.memory <= ESCAPE_BYTES

    @property
    def memory(self) -> int:
        """How many bytes of it are in memory."""
        return (len(self._head) if isinstance(self._head, bytes) else 0) + len(self._tail)

    @property
    def movable(self) -> bool:
        """Whether `spool` would free memory."""
        return not self._sending and isinstance(self._head, bytes) and len(self._head) >= WORTH_SPOOLING_BYTES

    async def spool(self, store: OverflowStore) -> None:
        """Move the part in memory to the store, unless it is sent meanwhile; raises OSError if the store is full."""
        if not isinstance(self._head, bytes):
            return
        stored = await store.keep(self._head)
        if self._sending:
            stored.close()
        else:
            self._head = stored

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the line in small pieces; raises OSError if it cannot be read from the store."""
        self._sending = True
        async for chunk in _cut(self._head) if isinstance(self._head, bytes) else self._head.chunks():
            yield chunk
        if self._output is not None:
            async for piece in escape(self._output):
                yield piece
            yield self._tail

    def close(self) -> None:
        """Release output and memory; idempotent."""
        self._sending = True
        for part in (self._head, self._output):
            if part is not None and not isinstance(part, bytes):
                part.close()
        self._head = b""


def encode_answer(result: TaskResult, request_id: RequestId | None) -> Answer:
    """Encode a result and take over its output; after any error the answer reports it, or is empty."""
    in_memory = result.output.in_memory
    if in_memory is not None:
        answer = Answer(encode_anyway(result, in_memory, request_id))
    else:
        try:
            head, tail = encode_ends(result, request_id)
            return Answer(head, result.output, tail)
        except Exception:  # noqa: BLE001 -- last resort: after any error the client must get an answer
            _log.exception("a result could not be encoded", command=result.command)
        answer = Answer(encode_anyway(failed(result), b"", request_id))
    result.output.close()
    return answer


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), ESCAPE_BYTES):
        yield data[start : start + ESCAPE_BYTES]
