"""Results to the protocol's JSON; whatever a result holds, its line can be written."""

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
"""Escaped at a time: msgspec keeps 900 MB/s up to here and drops to a third of that at 256 KiB."""
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
    """Return the whole line, newline included, for a result whose output is at hand and not large."""
    return encode_line(result, output.decode("utf-8", "replace"), request_id)


def encode_ends(result: TaskResult, request_id: RequestId | None) -> tuple[bytes, bytes]:
    """Return what stands before and after the output in the line of a result; newline included."""
    # In JSON a quote within a string is escaped, so the first of these is the key itself.
    head, key, tail = encode_line(result, "", request_id).partition(b',"output":"')
    return head + key, tail


async def escape(output: CapturedOutput) -> AsyncGenerator[bytes, None]:
    """Yield an output as it stands in a line, in pieces, so that neither it nor its escaped form is ever one object."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in output.chunks():
        for start in range(0, len(chunk), ESCAPE_BYTES):
            yield _encode(decoder.decode(chunk[start : start + ESCAPE_BYTES]))[1:-1]
    yield _encode(decoder.decode(b"", final=True))[1:-1]


def failed(result: TaskResult) -> TaskResult:
    """Return what is sent instead of a result that cannot be."""
    return replace(result, exit_code=NO_EXIT_CODE, output=NO_OUTPUT, error=INTERNAL_ERROR)


def encode_anyway(result: TaskResult, output: bytes, request_id: RequestId | None) -> bytes:
    """Return the whole line, or, whatever fails, one that says so, or nothing where not even that can be made."""
    try:
        return encode_line(result, output.decode("utf-8", "replace"), request_id)
    except Exception:  # noqa: BLE001 -- the last line of defence: nothing may leave a client waiting
        _log.exception("a result could not be encoded", command=result.command)
    try:
        return encode_line(failed(result), "", request_id)
    except Exception:  # noqa: BLE001 -- as above
        _log.exception("the failure of a result could not be encoded either", command=result.command)
    return b""


def encode_line(result: TaskResult, output: str, request_id: RequestId | None) -> bytes:
    """Return the whole line, newline included, with this output."""
    milliseconds = round(result.duration_ms, 3)
    fields = (result.command, result.executed_at, milliseconds, result.exit_code, output, result.error)
    wire = _Result(*fields) if request_id is None else _ResultWithId(*fields, request_id)
    try:
        return _encode(wire) + b"\n"
    except UnicodeEncodeError:
        # What is not UTF-8 in the names of files comes as lone surrogates (PEP 383), which are not text.
        command = tuple(_as_text(argument) for argument in result.command)
        request_id = _as_text(request_id) if isinstance(request_id, str) else request_id
        return encode_line(replace(result, command=command, error=_as_text(result.error)), _as_text(output), request_id)


def _as_text(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
