"""Commands whose processes try to escape in different ways, and write to a file as long as they live."""

import asyncio
import os
import sys
from pathlib import Path

from proc import alive_with

Command = tuple[str, ...]

_BEAT = 'exec 9<> <(:); while :; do printf . >> "$1"; read -rt 0.02 -u 9; done'
"""Writes to the file "$1" until it is killed, without starting processes."""

_ESCAPES = {
    "children": 'for _ in 1 2; do bash -c "$BEAT" "$0" "$1" & done; wait',
    "daemon": 'setsid -f bash -c "$BEAT" "$0" "$1"; wait_here',
    "double-fork": '( (setsid bash -c "$BEAT" "$0" "$1" &) & ); wait_here',
    "group": 'set -m; bash -c "$BEAT" "$0" "$1" & wait_here',
    "closed": 'setsid -f bash -c "exec 0<&- 1>&- 2>&-; $BEAT" "$0" "$1"; wait_here',
    "no-environment": 'setsid -f env -i "$BASH" -c "$BEAT" "$0" "$1"; wait_here',
    "deaf": 'trap "" TERM INT HUP QUIT; setsid -f bash -c "trap \'\' TERM INT HUP QUIT; $BEAT" "$0" "$1"; wait_here',
    "stopped": 'bash -c "printf . >> \\"\\$1\\"; kill -STOP \\$\\$; $BEAT" "$0" "$1" & wait_here',
    "family": 'setsid -f bash -c "setsid bash -c \\"\\$2\\" \\"\\$0\\" \\"\\$1\\" & $BEAT" "$0" "$1" "$2"; wait_here',
}
_PRELUDE = 'BEAT=$2; wait_here() { exec -a "$0" sleep 600; }; '

_FIRST_THREAD_GONE = """
import ctypes, os, sys, threading, time
if os.fork():
    time.sleep(600)
os.setsid()
def beat():
    while True:
        with open(sys.argv[2], "a") as file:
            file.write(".")
        time.sleep(0.02)
threading.Thread(target=beat).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""

_CHAINS = """
import os, sys, time
_, name, file, chains, stay, seconds = sys.argv
beat = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
end = time.monotonic() + float(seconds)
for _ in range(int(chains)):
    if os.fork():
        continue
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        os.setsid()
        os.write(beat, b".")
        time.sleep(float(stay))
    os._exit(0)
time.sleep(600)
"""


class Tree:
    """A command, the name by which its processes are found, and the file to which they write."""

    def __init__(self, name: str, folder: Path, command: Command) -> None:
        self.name = name
        self.command = command
        self._file = folder / name

    @property
    def written(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    @property
    def alive(self) -> list[int]:
        return alive_with(self.name)

    async def is_silent(self) -> bool:
        """Return whether nothing was written during ten intervals."""
        before = self.written
        await asyncio.sleep(0.2)
        return self.written == before


def escaping(folder: Path) -> list[Tree]:
    """Return one tree for each way of escaping."""
    trees = [_tree(kind, folder, ("bash", "-c", _PRELUDE + script), (_BEAT,)) for kind, script in _ESCAPES.items()]
    thread = _tree("first-thread-gone", folder, (sys.executable, "-ISc", _FIRST_THREAD_GONE))
    return [*trees, thread]


def daemon(folder: Path) -> Tree:
    """Return a command that exits at once and leaves a daemon."""
    return _tree("left", folder, ("bash", "-c", 'setsid -f bash -c "$2" "$0" "$1"'), (_BEAT,))


def sleeper(folder: Path, kind: str = "sleeper") -> Tree:
    """Return a command whose leader has a child and a daemon."""
    script = _PRELUDE + 'setsid -f bash -c "$BEAT" "$0" "$1"; bash -c "$BEAT" "$0" "$1" & wait_here'
    return _tree(kind, folder, ("bash", "-c", script), (_BEAT,))


def hopping(folder: Path, *, chains: int, stay: float, seconds: float) -> Tree:
    """Return a command whose processes each fork and exit at once; the child leaves the session and continues."""
    command = (sys.executable, "-ISc", _CHAINS)
    return _tree("hopping", folder, command, (str(chains), str(stay), str(seconds)))


def _tree(kind: str, folder: Path, head: Command, tail: Command = ()) -> Tree:
    name = f"{kind}-{os.urandom(4).hex()}"
    return Tree(name, folder, (*head, name, str(folder / name), *tail))
