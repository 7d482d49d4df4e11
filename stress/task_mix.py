"""The kinds of tasks of soak and chaos, each with a unique marker and one correct result."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .result_format import Result, shown

MEGABYTE = 1_000_000
WRITING_DAEMON = "daemon that writes"
SU = "su"
"""Needs an agent that runs as root: for other users su(1) requires a password."""
WRITING_DAEMONS_PART = 0.01

_FAMILY = """(exec -a "$0" sleep 3600) &
setsid -f bash -c 'exec -a "$0" sleep 3600 >/dev/null' "$0"
echo began
exec -a "$0" sleep 3600"""
_BACKGROUND = '(exec -a "$0" sleep 3600) & echo "$0"'
_DAEMON = """setsid -f bash -c 'exec -a "daemon of $0" sleep 2 >/dev/null' "$0"; echo "$0\""""
_WRITING_DAEMON = """setsid -f bash -c '
for _ in {1..40}; do echo "$0" || exit 1; sleep 0.05; done; touch "$1/$0"' "$0" "$1"; echo "$0\""""
_SU = """setsid -f bash -c 'exec -a "$0" sleep 3600 >/dev/null' {0}; exec -a {0} sleep 3600"""
_LARGE = 'head -c "$1" /dev/zero | tr "\\0" x'


@dataclass(frozen=True, slots=True)
class Task:
    """A request and its correct result; `timeout` in milliseconds, 0 for none."""

    kind: str
    command: tuple[str, ...]
    timeout: int
    exit_code: int
    error: str
    outputs: Callable[[str], bool]

    def is_answered_by(self, result: Result) -> bool:
        """Return whether this is the correct result; an empty `error` means none, `…` any."""
        if tuple(result.command) != self.command or result.exit_code != self.exit_code:
            return False
        return self.outputs(result.output) and (bool(result.error) if self.error == "…" else result.error == self.error)

    def __str__(self) -> str:
        """Return a short description."""
        return f"{self.kind} {shown(str(self.command))}"


def some_task(chance: random.Random, marker: str, folder: Path) -> Task:
    """Return a random task, usually a fast one; daemons create a file in `folder` when they have finished writing."""
    if chance.random() < WRITING_DAEMONS_PART:
        command = ("bash", "-c", _WRITING_DAEMON, marker, str(folder))
        # The first lines of the daemon may be in the output.
        return Task(WRITING_DAEMON, command, 0, 0, "", lambda output: set(output.splitlines()) == {marker})
    return chance.choices(_MAKERS, _WEIGHTS)[0](chance, marker)


def endless(marker: str) -> Task:
    """Return a task that ends only when its client disconnects."""
    return Task("abandoned", ("bash", "-c", _FAMILY, marker), 0, -1, "…", lambda _: True)


def _fast(_: random.Random, marker: str) -> Task:
    return Task("fast", ("printf", "%s", marker), 0, 0, "", lambda output: output == marker)


def _slow(chance: random.Random, marker: str) -> Task:
    seconds = f"{chance.uniform(0.1, 1):.2f}"
    return Task("slow", ("sh", "-c", 'sleep "$1"; echo "$0"', marker, seconds), 60_000, 0, "", _prints(marker))


def _failing(chance: random.Random, marker: str) -> Task:
    status = chance.randrange(1, 256)
    return Task("failing", ("sh", "-c", f'echo "$0"; exit {status}', marker), 0, status, "", _prints(marker))


def _signalled(_: random.Random, marker: str) -> Task:
    error = "terminated by signal SIGSEGV"
    return Task("signalled", ("sh", "-c", 'echo "$0"; kill -SEGV $$', marker), 0, 139, error, _prints(marker))


def _missing(_: random.Random, marker: str) -> Task:
    return Task("missing", (f"/nonexistent/{marker}",), 0, -1, "…", lambda output: output == "")


def _timing_out(chance: random.Random, marker: str) -> Task:
    begun = ("", "began\n")
    command = ("bash", "-c", _FAMILY, marker)
    return Task("timing out", command, chance.randrange(20, 500), -1, "timeout exceeded", begun.__contains__)


def _background(_: random.Random, marker: str) -> Task:
    return Task("background", ("bash", "-c", _BACKGROUND, marker), 0, 0, "", _prints(marker))


def _daemon(_: random.Random, marker: str) -> Task:
    # The daemon's command line contains the marker until it exits after two seconds.
    return Task("daemon", ("bash", "-c", _DAEMON, marker), 0, 0, "", _prints(marker))


def _large(chance: random.Random, marker: str) -> Task:
    size = chance.randrange(MEGABYTE // 10, 4 * MEGABYTE)
    return Task("large", ("sh", "-c", _LARGE, marker, str(size)), 0, 0, "", lambda output: output == "x" * size)


def _packets(chance: random.Random, marker: str) -> Task:
    size, count = chance.randrange(1, 6000), chance.randrange(1, 300)
    words = ("sh", "-c", 'exec dd if=/dev/zero bs="$1" count="$2" oflag=direct', marker, str(size), str(count))
    return Task("packets", words, 0, 0, "", lambda output: output == "\0" * (size * count))


def _other_session(chance: random.Random, marker: str) -> Task:
    # PAM resets the limits for a session.
    command = ("su", "root", "-s", "/bin/bash", "-c", _SU.format(marker))
    return Task(SU, command, chance.randrange(20, 500), -1, "timeout exceeded", lambda output: output == "")


def _prints(marker: str) -> Callable[[str], bool]:
    return lambda output: output == f"{marker}\n"


_MAKERS = [_fast, _slow, _failing, _signalled, _missing, _timing_out, _background, _daemon, _large, _packets]
_WEIGHTS = [50, 8, 15, 4, 8, 6, 2, 2, 5, 4]
if shutil.which("su"):
    _MAKERS.append(_other_session)
    _WEIGHTS.append(3)
