"""A model of the protocol: which results a stream of bytes gets. It is simple, slow, and independent of the agent."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, TypeGuard, cast

from .commands import Effect, Programs
from .result_format import Id

MAX_LINE = 8192
MAX_ID_CHARACTERS = 128
# The protocol limits neither digits nor depth.
sys.set_int_max_str_digits(0)
sys.setrecursionlimit(2 * MAX_LINE)
BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Expected:
    """One expected result: of a command, or (`command` is None) an error that says why there is none.

    `effect` None matches any effect. `rival`: an earlier request had this id and may still be in flight; then the
    result is an error that names the id in its text only.
    """

    id: Id | None
    command: Sequence[str] | None
    error: str = ""
    effect: Effect | None = None
    rival: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """The expected results in the order of requests, and whether the agent then closes the connection itself."""

    expected: list[Expected]
    closes: bool


def answers(sent: bytes, programs: Programs, *, at_end: bool) -> Answers:
    """Return the results for the data `sent` on one connection; `at_end`: its sending side is closed."""
    sent = sent.lstrip(BLANKS)
    if sent and not sent.startswith(b"{"):
        return Answers([Expected(None, None, "refused: ")], closes=True)
    expected: list[Expected] = []
    *lines, last = sent.split(b"\n")
    for line in lines:
        if len(line.removesuffix(b"\r")) > MAX_LINE:
            expected.append(_too_long(line))
        elif not line.isspace() and line:
            expected.append(_validate(line, programs))
    if len(last.removesuffix(b"\r")) > MAX_LINE:
        expected.append(_too_long(last))
    elif at_end and isinstance(_read(last), dict):
        expected.append(_validate(last, programs))
    return Answers(_with_rivals(expected), closes=at_end)


def _too_long(line: bytes) -> Expected:
    # The first id: that of the shortest prefix which, closed by a brace, is an object with an id.
    start = line[:MAX_LINE]
    commas = [at for at in range(len(start)) if start[at : at + 1] == b","] if b'"id"' in start else []
    values = (_read(start[:at] + b"}") for at in commas)
    objects = (cast("dict[str, Any]", value) for value in values if isinstance(value, dict))
    given = next((found["id"] for found in objects if "id" in found), None)
    return Expected(given if _is_id(given) else None, None, "invalid request: ")


def _read(line: bytes) -> object:
    try:
        return json.loads(line.decode(), parse_constant=_refuse, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _validate(line: bytes, programs: Programs) -> Expected:
    value = _read(line)
    if not isinstance(value, dict):
        return Expected(None, None, "invalid request: ")
    request = cast("dict[str, Any]", value)
    given = request.get("id")
    known = given if _is_id(given) else None
    command = request.get("command")
    timeout = request.get("timeout")
    if any(0xD800 <= ord(c) < 0xE000 for key in request for c in key):
        # Keys are decoded even if they are ignored; the ignored values are not.
        return Expected(known, None, "invalid request: ")
    if (given is None or known is not None) and _is_command(command) and _is_timeout(timeout):
        return Expected(known, command, effect=programs.effect(command, timeout))
    return Expected(known, None, "invalid request: ")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in value)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return _is_text(value) and 1 <= len(value) <= MAX_ID_CHARACTERS
    return isinstance(value, int) and not isinstance(value, bool)


def _is_command(value: Any) -> TypeGuard[list[str]]:  # noqa: ANN401 -- any JSON value
    words = cast("list[object]", value) if isinstance(value, list) else []
    return bool(words) and all(map(_is_text, words)) and words[0] != ""


def _is_timeout(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    try:
        return value >= 0 and math.isfinite(float(value))
    except OverflowError:
        return False


def _with_rivals(expected: list[Expected]) -> list[Expected]:
    seen: set[Id] = set()
    marked: list[Expected] = []
    for one in expected:
        rival = one.id in seen
        marked.append(Expected(one.id, one.command, one.error, one.effect, rival))
        if one.id is not None:
            seen.add(one.id)
    return marked
