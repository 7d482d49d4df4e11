"""The commands of the fuzz test and their effects; scripts are in files, so that no mutated line is another script."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_OUTPUT = 1024 * 1024
ENOUGH_MS = 20_000
"""Longer than any quick command takes, even on a busy machine."""

_SIZES = (1, 100, 65535, 65536, 65537, 262143, 262144, 262145, 400_001)
_SCRIPTS = {
    "exits": 'exit "$1"\n',
    "dies": 'kill -"$1" $$\n',
    "stays": '(exec -a "$1" sleep 3600) & setsid -f bash "$0-daemon" "$1"; echo began; exec -a "$1" sleep 3600\n',
    "stays-daemon": 'exec -a "$1" sleep 3600 >/dev/null\n',
    "packets": 'exec dd if=/dev/zero bs="$1" count="$2" oflag=direct\n',
    "writes-on": 'setsid -f bash "$0-daemon" "$1"\n',
    "writes-on-daemon": 'for _ in {1..30}; do echo more || exit; sleep 0.02; done; exec touch "$1"\n',
}
_STATUSES = [str(status) for status in range(256)]
SIGNALS = {"SEGV": 139, "KILL": 137, "TERM": 143}


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a command: `error` None matches any reason, `output` None any bytes.

    `may_expire`: the timeout is so short that it may expire first.
    """

    exit_code: int
    error: str | None
    output: bytes | None
    may_expire: bool = False


class Programs:
    """The scripts and files in `folder`, generated from a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Write the scripts and the files that tasks read."""
        chance = random.Random(seed)
        self.folder = folder
        for name, text in _SCRIPTS.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.files: dict[str, bytes] = {}
        for size in _SIZES:
            # One file of random bytes, one of multi-byte characters, which read boundaries split at different places.
            euros = (b"x" * chance.randrange(4) + "€𝄞é".encode() * (size // 9 + 1))[:size]
            for kind, content in (("bytes", chance.randbytes(size)), ("text", euros)):
                path = folder / f"{kind}-{size}"
                path.write_bytes(content)
                self.files[str(path)] = content

    def script(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs a script."""
        return ["bash", str(self.folder / name), *arguments]

    def effect(self, command: Sequence[str], timeout: float | None) -> Effect | None:
        """Return the effect of a command; None if it is unknown."""
        if command[:2] == self.script("stays") or command[:1] == ["su"]:
            return Effect(-1, "timeout exceeded", None)
        if command[:2] == self.script("writes-on"):
            return Effect(0, "", None)
        known = self._untimed(command)
        if known is None or not timeout or timeout >= ENOUGH_MS:
            return known
        return Effect(known.exit_code, known.error, known.output, may_expire=True)

    def _untimed(self, command: Sequence[str]) -> Effect | None:  # noqa: PLR0911 -- a table
        match list(command):
            case ["true"]:
                return Effect(0, "", b"")
            case ["printf", "%s", *words]:
                return Effect(0, "", "".join(words).encode())
            case ["cat", *paths] if all(path in self.files for path in paths):
                return _limited(b"".join(self.files[path] for path in paths))
            case ["bash", script, size, count] if script == str(self.folder / "packets"):
                return _limited(bytes(int(size) * int(count)))
            case ["bash", script, number] if script == str(self.folder / "exits") and number in _STATUSES:
                return Effect(int(number), "", b"")
            case ["bash", script, name] if script == str(self.folder / "dies") and name in SIGNALS:
                return Effect(SIGNALS[name], f"terminated by signal SIG{name}", b"")
            case [path, *_] if path.startswith(("/nonexistent/", "/dev/null/")) or path == "/":
                return Effect(-1, None, b"")
            case _:
                return None


def _limited(output: bytes) -> Effect:
    if len(output) > MAX_OUTPUT:
        return Effect(-1, "output limit exceeded", output[:MAX_OUTPUT])
    return Effect(0, "", output)
