"""Encodes results as JSON lines; any result can be encoded."""

import codecs
import re
from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec
import structlog

from ..domain.output import NO_OUTPUT, CapturedOutput
from ..domain.task import NO_EXIT_CODE, TaskResult
from .requests import RequestId

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

INTERNAL_ERROR = "internal error of the agent; its log says more"
ESCAPE_BYTES = 64 * 1024
"""Bytes that are escaped at a time: up to this size msgspec escapes 900 MB/s, at 256 KiB a third of that."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_encode = msgspec.json.Encoder().encode


class _Result(msgspec.Struct, frozen=True, gc=False):
    command: tuple[str, ...]
    executed_at: int
    duration_ms: float
    exit_code: int
    output: str
    error: str


class _ResultWithId(_Result, frozen=True, gc=False):
    id: str | int


def encode_result(result: TaskResult, output: bytes, request_id: RequestId | None) -> bytes:
    """Return the whole line, including its newline, for a result with small output in memory."""
    return encode_line(result, output.decode("utf-8", "replace"), request_id)


def encode_ends(result: TaskResult, request_id: RequestId | None) -> tuple[bytes, bytes]:
    """Return the parts of a result's line before and after the output, including the newline."""
    # JSON escapes quotes within strings, so the first match is the key itself.
    head, key, tail = encode_line(result, "", request_id).partition(b',"output":"')
    return head + key, tail


async def escape(output: CapturedOutput) -> AsyncGenerator[bytes, None]:
    """Yield the output escaped for a JSON string, in pieces, so that large output is never in memory as a whole."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in output.chunks():
        for start in range(0, len(chunk), ESCAPE_BYTES):
            yield _encode(decoder.decode(chunk[start : start + ESCAPE_BYTES]))[1:-1]
    yield _encode(decoder.decode(b"", final=True))[1:-1]


def failed(result: TaskResult) -> TaskResult:
    """Return the result that is sent instead of one that cannot be encoded."""
    return replace(result, exit_code=NO_EXIT_CODE, output=NO_OUTPUT, error=INTERNAL_ERROR)


def encode_anyway(result: TaskResult, output: bytes, request_id: RequestId | None) -> bytes:
    """Return the whole line, or on any error a line that reports it, or nothing if that cannot be encoded either."""
    try:
        return encode_line(result, output.decode("utf-8", "replace") if output else "", request_id)
    except Exception:  # noqa: BLE001 -- no error may leave a client without a response
        _log.exception("a result could not be encoded", command=result.command)
    try:
        return encode_line(failed(result), "", request_id)
    except Exception:  # noqa: BLE001 -- as above
        _log.exception("the failure of a result could not be encoded either", command=result.command)
    return b""


def encode_line(result: TaskResult, output: str, request_id: RequestId | None) -> bytes:
    """Return the whole line with `output`, including its newline."""
    milliseconds = round(result.duration_ms, 3)
    fields = (result.command, result.executed_at, milliseconds, result.exit_code, output, result.error)
    wire = _Result(*fields) if request_id is None else _ResultWithId(*fields, request_id)
    try:
        return _encode(wire) + b"\n"
    except UnicodeEncodeError:
        # Bytes of file names that are not UTF-8 are lone surrogates (PEP 383), which cannot be encoded.
        command = tuple(_as_text(argument) for argument in result.command)
        request_id = _as_text(request_id) if isinstance(request_id, str) else request_id
        return encode_line(replace(result, command=command, error=_as_text(result.error)), _as_text(output), request_id)


def _as_text(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
