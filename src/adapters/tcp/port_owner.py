"""Finds the process that listens on a port that is in use, for error messages."""

import contextlib
import re
from pathlib import Path

from ..linux.endpoint import Name, endpoint
from ..linux.sock_diag import SockDiag, SocketInfo

_WILDCARDS = {bytes(4): ("127.0.0.1",), bytes(16): ("::1", "127.0.0.1")}
"""For each wildcard address: loopback addresses by which to find a listener that conflicts with it."""


def owner_of_port(name: Name) -> str | None:
    """Return the listener on an address as `pid 4711 (nginx)`, or its user; None if there is none or it is unknown."""
    wanted = endpoint(name)
    diag = SockDiag()
    try:
        for end in (wanted, *(endpoint((host, wanted.port)) for host in _WILDCARDS.get(wanted.address, ()))):
            found = diag.listener(end)
            if isinstance(found, SocketInfo):
                process = _holder(found.inode)
                return process_name(process) if process is not None else f"a process of user {found.user}"
    finally:
        diag.close()
    return None


def process_name(process: int) -> str:
    """Return `pid PID (NAME)`; without the name if it cannot be read, and with `?` for characters not printable."""
    try:
        name = Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return f"pid {process}"
    return f"pid {process} ({re.sub(r'[^ -~]', '?', name)})"


def _holder(inode: int) -> int | None:
    """Return the first visible process, by pid, that has this socket open."""
    for process in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                if _target(descriptor) == f"socket:[{inode}]":
                    return process
    return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
