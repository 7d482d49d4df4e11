"""Parses and checks the format of a result line, independent of the agent's code."""

import json
import time
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from .runner import CheckFailedError

Id: TypeAlias = str | int

KEYS = ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
CLOCK_SECONDS = 3600
SHOWN_BYTES = 300


@dataclass(frozen=True, slots=True)
class Result:
    """One result."""

    command: list[str]
    exit_code: int
    output: str
    error: str
    id: Id | None

    def __str__(self) -> str:
        """Return a short description."""
        under = "" if self.id is None else f" under {self.id!r}"
        command = shown(str(self.command))
        return f"{command}{under}: exit code {self.exit_code}, {self.error!r}, {len(self.output)} characters"


def read_result(line: bytes) -> Result:
    """Parse a line; raises CheckFailedError if the protocol does not allow it."""
    try:
        pairs: Any = json.loads(line.decode(), object_pairs_hook=list, parse_constant=_refuse)
        keys = [key for key, _ in pairs]
        values: dict[str, Any] = dict(pairs)
    except (ValueError, TypeError) as error:
        raise CheckFailedError(f"not a JSON object ({error}): {shown(line)}") from error
    if keys not in (KEYS, [*KEYS, "id"]):
        raise CheckFailedError(f"keys {keys}: {shown(line)}")
    if not line.startswith(b'{"command":['):
        raise CheckFailedError(f"not compact: {shown(line)}")
    if fault := _fault(values):
        raise CheckFailedError(f"{fault}: {shown(line)}")
    return Result(values["command"], values["exit_code"], values["output"], values["error"], values.get("id"))


def _fault(values: dict[str, Any]) -> str | None:
    command: list[Any] = values["command"]
    rules = {
        "command is not strings": all(type(word) is str for word in command),
        "executed_at is not now": type(values["executed_at"]) is int
        and abs(time.time() - values["executed_at"]) < CLOCK_SECONDS,
        "duration_ms is not a decimal": type(values["duration_ms"]) is float and values["duration_ms"] >= 0,
        "exit_code is not -1 to 255": type(values["exit_code"]) is int and -1 <= values["exit_code"] <= 255,
        "output is not text": type(values["output"]) is str,
        "error is not text": type(values["error"]) is str,
        "-1 without a reason": values["exit_code"] != -1 or values["error"],
        "id is none": "id" not in values or type(values["id"]) in (str, int),
    }
    return next((name for name, holds in rules.items() if not holds), None)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def shown(data: bytes | str) -> str:
    """Return the repr of data, truncated if it is long."""
    return repr(data[:SHOWN_BYTES]) + ("…" if len(data) > SHOWN_BYTES else "")
