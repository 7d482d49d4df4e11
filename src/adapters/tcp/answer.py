"""One result that has to wait: encoded, so that it takes its bytes and no more, and in the spool if memory is short."""

from collections.abc import AsyncGenerator, AsyncIterator

import structlog

from ...domain.output import CapturedOutput
from ...domain.ports.overflow import OverflowStore
from ...domain.task import TaskResult
from ...protocol.requests import RequestId
from ...protocol.results import ESCAPE_BYTES, encode_anyway, encode_ends, escape, failed

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

WORTH_SPOOLING_BYTES = 4096
"""What is smaller stays in memory: a file takes about as much."""


class Answer:
    """The line of one result; owns its output, which `close` gives back."""

    __slots__ = ("_head", "_output", "_sending", "_tail")

    def __init__(self, head: bytes, output: CapturedOutput | None = None, tail: bytes = b"") -> None:
        """Take a line as it is sent: all of it in `head`, or with an output between the two, not yet escaped."""
        self._head: bytes | CapturedOutput = head
        self._output = output
        self._tail = tail
        # It is on its way, or was closed: no longer to be moved.
        self._sending = False

    @property
    def line(self) -> bytes | None:
        """All of it, where it is in memory and so small that it can be written at once."""
        return self._head if isinstance(self._head, bytes) and self._output is None and self.is_small else None

    @property
    def is_small(self) -> bool:
        """Whether what is in memory of it is about a piece."""
        return self.memory <= ESCAPE_BYTES

    @property
    def memory(self) -> int:
        """How many bytes of it are in memory."""
        return (len(self._head) if isinstance(self._head, bytes) else 0) + len(self._tail)

    @property
    def movable(self) -> bool:
        """Whether `spool` would make it smaller."""
        return not self._sending and isinstance(self._head, bytes) and len(self._head) >= WORTH_SPOOLING_BYTES

    async def spool(self, store: OverflowStore) -> None:
        """Move what is in memory to the store, unless it is sent meanwhile; raises OSError where that takes no more."""
        if not isinstance(self._head, bytes):
            return
        stored = await store.keep(self._head)
        if self._sending:
            stored.close()
        else:
            self._head = stored

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the line in small pieces; raises OSError where it cannot be read back."""
        self._sending = True
        async for chunk in _cut(self._head) if isinstance(self._head, bytes) else self._head.chunks():
            yield chunk
        if self._output is not None:
            async for piece in escape(self._output):
                yield piece
            yield self._tail

    def close(self) -> None:
        """Give back what it takes; once more is harmless."""
        self._sending = True
        for part in (self._head, self._output):
            if part is not None and not isinstance(part, bytes):
                part.close()
        self._head = b""


def encode_answer(result: TaskResult, request_id: RequestId | None) -> Answer:
    """Encode a result, whose output is the answer's from then on; whatever fails, the answer says so or is empty."""
    in_memory = result.output.in_memory
    if in_memory is not None:
        answer = Answer(encode_anyway(result, in_memory, request_id))
    else:
        try:
            head, tail = encode_ends(result, request_id)
            return Answer(head, result.output, tail)
        except Exception:  # noqa: BLE001 -- the last line of defence: nothing may leave a client waiting
            _log.exception("a result could not be encoded", command=result.command)
        answer = Answer(encode_anyway(failed(result), b"", request_id))
    result.output.close()
    return answer


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), ESCAPE_BYTES):
        yield data[start : start + ESCAPE_BYTES]
