"""Reads the id from the beginning of a line that is too long, so that the error has it."""

import json
import re

from .requests import RequestId, is_id

_BRACE = re.compile(r"[ \t\r\n]*\{[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_NEXT = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_END = re.compile(r"[ \t\r\n]*[,}]")
_decode_value = json.JSONDecoder().raw_decode


def read_id(start: bytes) -> RequestId | None:
    """Return the first `id` of the object that begins at `start`, None if there is none or it is invalid.

    Costs as much as parsing the fields before it, and next to nothing if the name does not occur.
    """
    if b'"id"' not in start:
        return None
    text = start.decode("utf-8", "replace")
    try:
        return _find_id(text, _skip(_BRACE, text, 0))
    except (ValueError, RecursionError):
        return None


def _find_id(text: str, position: int) -> RequestId | None:
    while True:
        name, position = _decode_value(text, position)
        value, position = _decode_value(text, _skip(_COLON, text, position))
        if name == "id":
            # A value that no delimiter follows may be truncated, or the text is not JSON.
            _skip(_END, text, position)
            return value if is_id(value) else None
        position = _skip(_NEXT, text, position)


def _skip(pattern: "re.Pattern[str]", text: str, position: int) -> int:
    match = pattern.match(text, position)
    if match is None:
        raise ValueError(pattern.pattern)
    return match.end()
