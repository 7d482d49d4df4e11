"""A listening Unix socket and its file, which only the process that owns it removes."""

import contextlib
import errno
import os
import socket
import stat
import struct
from pathlib import Path

from .listener import BACKLOG
from .port_owner import process_name

OWNER_ONLY = 0o600
_CREDENTIALS = struct.Struct("=iII")


class UnixListener:
    """A listening socket at `path`, to which only its owner and root may connect."""

    def __init__(self, path: Path) -> None:
        """Bind and listen; raises OSError.

        A stale socket file, on which no process listens, is replaced; one in use is an error.
        """
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "it contains a NUL character")
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            _unlink_stale(path)
            # The mode comes from the umask: with chmod after bind, other users could connect in between.
            before = os.umask(0o777 & ~OWNER_ONLY)
            try:
                self.socket.bind(str(path))
            finally:
                os.umask(before)
            self._file = _identity(path)
            self.socket.listen(BACKLOG)
        except OSError:
            self.socket.close()
            raise

    def remove(self) -> None:
        """Remove the file, unless another one has replaced it or it does not exist; raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            if _identity(self.path) == self._file:
                self.path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _unlink_stale(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        found = _identity(path)
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "it exists and is not a socket")
        # Non-blocking: with a full backlog, connect(2) would wait until the listening process accepts.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                if _identity(path) == found:
                    path.unlink()
            except BlockingIOError:
                raise OSError(errno.EADDRINUSE, "somebody listens on it who does not accept") from None
            else:
                raise OSError(errno.EADDRINUSE, f"it is taken by {_listening_process(probe)}")


def _listening_process(connected: socket.socket) -> str:
    process, user, _ = _CREDENTIALS.unpack(
        connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    # 0 for a process outside of this PID namespace.
    return process_name(process) if process else f"a process of user {user}"
