"""Results to PROTOCOL's JSON; whatever a result holds, its line can be written."""

import codecs
import re
from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec

from ...domain.task import TaskResult
from .wire import RequestId

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
    return _line(result, output.decode("utf-8", "replace"), request_id)


async def stream_result(result: TaskResult, request_id: RequestId | None) -> AsyncGenerator[bytes, None]:
    """Yield the line in pieces, so that neither the output nor its escaped form is ever one object."""
    # In JSON a quote within a string is escaped, so the first of these is the key itself.
    head, key, tail = _line(result, "", request_id).partition(b',"output":"')
    yield head + key
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in result.output.chunks():
        for start in range(0, len(chunk), ESCAPE_BYTES):
            yield _encode(decoder.decode(chunk[start : start + ESCAPE_BYTES]))[1:-1]
    yield _encode(decoder.decode(b"", final=True))[1:-1] + tail


def _line(result: TaskResult, output: str, request_id: RequestId | None) -> bytes:
    milliseconds = round(result.duration_ms, 3)
    fields = (result.command, result.executed_at, milliseconds, result.exit_code, output, result.error)
    wire = _Result(*fields) if request_id is None else _ResultWithId(*fields, request_id)
    try:
        return _encode(wire) + b"\n"
    except UnicodeEncodeError:
        # What is not UTF-8 in the names of files comes as lone surrogates (PEP 383), which are not text.
        command = tuple(_as_text(argument) for argument in result.command)
        request_id = _as_text(request_id) if isinstance(request_id, str) else request_id
        return _line(replace(result, command=command, error=_as_text(result.error)), _as_text(output), request_id)


def _as_text(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
