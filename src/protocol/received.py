"""Results as clients receive them: one line of the agent's to a value, whatever bytes it holds."""

from dataclasses import dataclass

import msgspec

from .requests import RequestId


class ReceivedResult(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One result: the six fields of the protocol, and the id of the request if that had one.

    `executed_at` is Unix time in whole seconds, `duration_ms` milliseconds; `exit_code` is -1 where the command has
    none of its own, and `error` says why.
    """

    command: tuple[str, ...]
    executed_at: int
    duration_ms: float
    exit_code: int
    output: str
    error: str
    id: RequestId | None = None


@dataclass(frozen=True, slots=True)
class InvalidResult:
    """A line that is no result: whoever is at the other end does not speak the protocol."""

    reason: str


_decoder = msgspec.json.Decoder(ReceivedResult)


def decode_result(line: bytes) -> ReceivedResult | InvalidResult:
    """Read one line, with its newline or without; fields that are not known are ignored."""
    try:
        # As text, as with requests: msgspec does not look into the strings of fields that it skips.
        return _decoder.decode(line.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InvalidResult(str(error))
