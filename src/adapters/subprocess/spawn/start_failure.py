"""Describes why a program could not be executed, and names the file. It may block: never call it on the event loop."""

import errno
import os
from _collections_abc import Iterator  # collections.abc would import more, which delays the starter

_BUFFER_BYTES = 256
"""How much of a script's first line the kernel reads (BINPRM_BUF_SIZE)."""
MAX_INTERPRETERS = 5
"""How many scripts in a row may be one another's interpreter (execve(2))."""
_LOADER = b"the loader that the program names"
_INTERPRETER_ERRORS = {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.ETXTBSY}


def cannot_start(name: bytes, reason: str) -> str:
    """Return the whole message; `name` is from the request or was found in the PATH."""
    return f"cannot start {_printable(name)}: {reason}"


def describe_failure(error: OSError, executable: bytes) -> str:
    """Return the system's reason, with details that it lacks."""
    reason = error.strerror or str(error)
    number = error.errno
    chain = list(interpreters(executable))
    if number in _INTERPRETER_ERRORS and b"/" in executable:
        interpreter = _bad_interpreter(number, executable, chain)
        if interpreter:
            return f"bad interpreter: {_printable(interpreter)}: {reason}{_line_end_hint(interpreter)}"
    # Not pathlib, which raises an error if the path may not be accessed.
    if number == errno.EACCES and os.path.isdir(executable):  # noqa: PTH112
        return f"{reason} (it is a directory)"
    if number == errno.ENOEXEC:
        return f"{reason} (neither a program for this machine nor a script that begins with #!)"
    if number == errno.E2BIG:
        return f"{reason} (see execve(2) for how long arguments and environment may be)"
    if number == errno.ELOOP and len(chain) > MAX_INTERPRETERS:
        return f"{reason} (more than {MAX_INTERPRETERS} scripts are one another's interpreter)"
    return reason


def interpreters(executable: bytes) -> Iterator[bytes]:
    """Yield the interpreter of a script, the interpreter of that if it is a script too, and so on.

    A file is not accessed before the next interpreter is requested. The last one may be missing. Ends at a file that is
    not a script, may not be executed or cannot be read, and after one more than the kernel allows.
    """
    path = executable
    for _ in range(MAX_INTERPRETERS + 1):
        path = _interpreter(path) if os.access(path, os.X_OK) else b""
        if not path:
            return
        yield path


def _bad_interpreter(number: int, executable: bytes, chain: list[bytes]) -> bytes:
    """Return the interpreter to which the system's reason applies; empty if that is the program itself."""
    if number == errno.ENOENT:
        last = chain[-1] if chain else executable
        if not os.path.lexists(last):
            return last if chain else b""
        # The file exists: the loader that a binary names is missing, or the target of a link.
        missing = _LOADER if os.path.exists(last) else last  # noqa: PTH110 -- bytes
        return missing if chain or missing is _LOADER else b""
    return chain[-1] if chain else b""


def _interpreter(path: bytes) -> bytes:
    """Return the interpreter in the first line of a script, as the kernel reads it: only a blank or a tab ends it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        first_line = os.read(descriptor, _BUFFER_BYTES).split(b"\n", 1)[0]
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    if not first_line.startswith(b"#!"):
        return b""
    words = first_line[2:].split(b"\0", 1)[0].strip(b" \t").replace(b"\t", b" ").split(b" ", 1)
    return words[0]


def _line_end_hint(interpreter: bytes) -> str:
    if not interpreter.endswith(b"\r"):
        return ""
    return " (the script has Windows line ends: its first line ends with a carriage return, shown as \\r)"


def _printable(path: bytes) -> str:
    text = path.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
