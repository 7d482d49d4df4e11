"""Decodes requests from JSON into domain values, and encodes them for clients; JSON types stay in this module."""

import json
import re
import sys
from typing import Final, TypeGuard, final

import msgspec

from ..domain.task import InvalidTaskError, TaskRequest

RequestId = str | int

MAX_ID_CHARACTERS = 128
ID_RULE = f"an integer or 1 to {MAX_ID_CHARACTERS} characters without NUL"
KNOWN_FIELDS = frozenset({"command", "timeout", "id"})
SMALLEST_NUMBER = sys.float_info.min * sys.float_info.epsilon
"""The smallest float above 0; a number below half of it parses as 0, although it is not 0."""
MAX_DIGITS = 600
"""Of an integer; Python's own limit can be set as low as 640 (PYTHONINTMAXSTRDIGITS)."""
NESTED_TOO_DEEPLY = "The line is JSON that is nested too deeply"


@final
class DecodedRequest(msgspec.Struct, frozen=True):
    """A valid request, and the id for its result."""

    request: TaskRequest
    id: RequestId | None


@final
class InvalidRequest(msgspec.Struct, frozen=True):
    """A line that is not a valid request.

    `is_object` tells whether it was a complete JSON object: a client that disconnects in the middle of a line has not
    sent a request.
    """

    reason: str
    id: RequestId | None = None
    is_object: bool = False


class _Request(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    command: tuple[str, ...]
    timeout: float | None = None
    id: str | int | None = None


_decoder: Final[msgspec.json.Decoder[_Request]] = msgspec.json.Decoder(_Request)
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def decode_request(line: bytes) -> DecodedRequest | InvalidRequest:
    """Decode one line; any sequence of bytes gives a value."""
    try:
        # Decoded to text first: msgspec does not check the strings of ignored fields, and JSON must be UTF-8.
        parsed = _decoder.decode(line.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_leniently(line, str(error))
    if parsed.id is None and parsed.timeout != 0:
        # As `_validate` does, which also says what is wrong: without its calls for each task.
        try:
            return DecodedRequest(TaskRequest(parsed.command, parsed.timeout), None)
        except InvalidTaskError:
            pass
    return _validate(parsed, line)


def encode_request(request: TaskRequest, request_id: RequestId | None = None) -> bytes:
    """Return the line of a request, including its newline. Raises ValueError for an invalid id."""
    if request_id is not None and not is_id(request_id):
        raise ValueError(f"an id is {ID_RULE}, not {request_id!r:.200}")
    return _encode(_Request(request.command, request.timeout_ms, request_id)) + b"\n"


def _validate(parsed: _Request, line: bytes = b"") -> DecodedRequest | InvalidRequest:
    if parsed.id is not None and not is_id(parsed.id):
        return InvalidRequest(f"Expected 1 to {MAX_ID_CHARACTERS} characters without NUL - at `$.id`", is_object=True)
    # The protocol defines that a timeout of 0 means no timeout.
    timeout = parsed.timeout
    if timeout == 0:
        timeout = (_read_number(bytes(_decode_fields(line)["timeout"]).decode()) if line else timeout) or None
    try:
        return DecodedRequest(TaskRequest(parsed.command, timeout), parsed.id)
    except InvalidTaskError as error:
        return InvalidRequest(f"{error.reason} - at `$.{error.field}`", parsed.id, is_object=True)


def _read_number(text: str) -> float:
    """Parse a number; one that is too small for a float gives the smallest float of its sign, not 0."""
    number = float(text)
    if number == 0 and text.lower().partition("e")[0].strip("-0."):
        return -SMALLEST_NUMBER if text.startswith("-") else SMALLEST_NUMBER
    return number


def is_id(value: object) -> TypeGuard[RequestId]:
    """Return whether a value is a valid id: 1 to 128 characters without NUL and lone surrogates, or an integer."""
    if isinstance(value, str):
        return 1 <= len(value) <= MAX_ID_CHARACTERS and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _decode_leniently(line: bytes, reason: str) -> InvalidRequest | DecodedRequest:
    # msgspec stops at the first error, even in a key that a later key of the same name replaces. This second pass
    # decodes the raw fields: the last key wins, as the protocol defines, and the id is found, so that the error has it.
    try:
        fields = _decode_fields(line.decode())
    except UnicodeDecodeError:
        return InvalidRequest(reason)
    except msgspec.ValidationError as error:
        return InvalidRequest(_with_path(str(error)))
    except RecursionError:
        # A truncated JSON object has at least one opening brace more, since the first one is not closed.
        braces = _STRING.sub(b"", line)
        whole = braces.rstrip().endswith(b"}") and braces.count(b"{") == braces.count(b"}")
        return InvalidRequest(NESTED_TOO_DEEPLY, is_object=whole)
    except msgspec.DecodeError:
        return _decode_as_python_does(line, reason)
    try:
        return _validate(_decoder.decode(_encode({name: fields[name] for name in KNOWN_FIELDS & fields.keys()})), line)
    except msgspec.ValidationError as error:
        return InvalidRequest(_with_path(str(error)), _readable_id(fields.get("id")), is_object=True)


def _readable_id(raw: msgspec.Raw | None) -> RequestId | None:
    try:
        value = msgspec.json.decode(raw or b"null", type=str | int | None)
    except msgspec.ValidationError:
        return None
    return value if is_id(value) else None


def _decode_as_python_does(line: bytes, reason: str) -> InvalidRequest | DecodedRequest:
    """Decode text with lone surrogates, which JSON allows and msgspec rejects."""
    try:
        # An integer with more digits is out of range for every field.
        value: object = json.loads(
            line.decode(),
            parse_constant=_refuse_constant,
            parse_float=_read_number,
            parse_int=lambda text: float(text) if text[MAX_DIGITS:] else int(text),
        )
    except (json.JSONDecodeError, RecursionError):
        return InvalidRequest(reason)
    if not isinstance(value, dict):
        return InvalidRequest(_with_path(reason))
    try:
        return _validate(msgspec.convert(value, _Request))
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        found: object = value.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        request_id = found if isinstance(found, str | int) and is_id(found) else None
        # msgspec encodes keys to compare them.
        reason = "A lone surrogate is not text" if isinstance(error, UnicodeEncodeError) else str(error)
        return InvalidRequest(_with_path(reason), request_id, is_object=True)


def _refuse_constant(name: str) -> None:
    # Python's json module accepts NaN and Infinity, which are not JSON.
    raise json.JSONDecodeError(name, name, 0)


def _with_path(reason: str) -> str:
    return reason if "`$" in reason else f"{reason} - at `$`"
