"""Decodes results for clients: any line of bytes gives a value."""

from dataclasses import dataclass

import msgspec

from .requests import RequestId


class ReceivedResult(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One result: the six fields of the protocol, and the id of the request if it had one.

    `executed_at` is Unix time in whole seconds, `duration_ms` milliseconds. `exit_code` is -1 if the command has none,
    and then `error` says why.
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
    """A line that is not a result: the peer does not use this protocol."""

    reason: str


_decoder = msgspec.json.Decoder(ReceivedResult)


def decode_result(line: bytes) -> ReceivedResult | InvalidResult:
    """Decode one line, with or without its newline; unknown fields are ignored."""
    try:
        # Decoded to text first, as requests are: msgspec does not check the strings of ignored fields.
        return _decoder.decode(line.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InvalidResult(str(error))
