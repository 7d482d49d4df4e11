"""Which file a command names, and why it could not be executed, in words that name the file."""

import errno
import os
from pathlib import Path

_SHEBANG_BYTES = 256


def find_executable(name: bytes, search_path: bytes) -> bytes:
    """Return the path to execute for `name`, as execvp(3) would choose it.

    A name with a slash is taken as it is. Otherwise the first executable file of that name in the directories of
    `search_path` (an empty one is the current directory); if there is none, the first that may not be executed, so
    that the refusal says so; if there is not even that, raises FileNotFoundError.
    """
    if b"/" in name:
        return name
    forbidden = b""
    for directory in search_path.split(b":"):
        candidate = os.path.join(directory or b".", name)  # noqa: PTH118 -- once a task; a Path costs five times as much
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):  # noqa: PTH112 -- as above
            return candidate
        if not forbidden and os.path.isfile(candidate):  # noqa: PTH113 -- as above
            forbidden = candidate
    if forbidden:
        return forbidden
    raise FileNotFoundError(errno.ENOENT, f"{os.strerror(errno.ENOENT)} in PATH")


def explain(error: OSError, executable: bytes) -> str:
    """Return the system's reason with the file named, and what the bare reason leaves in the dark."""
    reason = error.strerror or str(error)
    # Not by pathlib: there, what may not be looked at is an error, not absent.
    if error.errno == errno.EACCES and os.path.isdir(executable):  # noqa: PTH112
        reason += " (it is a directory)"
    elif error.errno == errno.ENOENT and b"/" in executable and os.path.exists(executable):  # noqa: PTH110
        reason = f"bad interpreter: {_interpreter(Path(os.fsdecode(executable)))}: {reason}"
    elif error.errno == errno.ENOEXEC:
        reason += " (neither a program for this machine nor a script that begins with #!)"
    elif error.errno == errno.E2BIG:
        reason += " (see execve(2) for how long arguments and environment may be)"
    return f"cannot start {executable.decode('utf-8', 'replace')}: {reason}"


def _interpreter(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first_line = file.read(_SHEBANG_BYTES).split(b"\n", 1)[0]
    except OSError:
        first_line = b""
    words = first_line.removeprefix(b"#!").split(None, 1)
    if first_line.startswith(b"#!") and words:
        return words[0].decode("utf-8", "replace")
    return "the loader that the program names"
