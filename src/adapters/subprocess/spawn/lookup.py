"""Finds the file that a command names, as execvp(3) does. It may block: never call it on the event loop."""

import errno
import os
import stat


def candidates(name: bytes, search_path: bytes) -> list[bytes]:
    """Return the paths at which `name`, without a slash, is looked up; an empty PATH entry is the current directory."""
    return [
        os.path.join(directory or b".", name)  # noqa: PTH118 -- bytes, which pathlib does not take
        for directory in search_path.split(b":")
    ]


def find_executable(name: bytes, search_path: bytes) -> bytes:
    """Return the path to execute for `name`.

    A name with a slash is returned unchanged. Otherwise the result is the first executable file of that name in the
    directories of `search_path`. If there is none, it is the first file that may not be executed or whose directory may
    not be searched, so that exec fails with that reason, as execvp(3) does. Raises FileNotFoundError if there is none
    of those either.
    """
    if b"/" in name:
        return name
    forbidden = b""
    for candidate in candidates(name, search_path):
        try:
            mode = os.stat(candidate).st_mode  # noqa: PTH116 -- bytes
        except PermissionError:
            forbidden = forbidden or candidate
            continue
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            continue
        if os.access(candidate, os.X_OK):
            return candidate
        if stat.S_ISREG(mode):
            forbidden = forbidden or candidate
    if forbidden:
        return forbidden
    raise FileNotFoundError(errno.ENOENT, f"{os.strerror(errno.ENOENT)} in PATH")
