"""Listening sockets: where the agent can be reached."""

import contextlib
import errno
import os
import socket
import stat
from ipaddress import ip_address
from pathlib import Path

from .keepalive import probe_clients

BACKLOG = 1024
OWNER_ONLY = 0o600


def open_listener(host: str, port: int) -> socket.socket:
    """Bind and listen on `host` (a name or an address) and `port` (0 takes a free one); raises OSError."""
    family, address = _resolve(host, port)[0]
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Without it, the address stays taken for a minute after a restart.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe_clients(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `host:port` as people write it."""
    if listener.family == socket.AF_UNIX:
        return str(listener.getsockname())
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "it is not the name of a host") from error
    return [(family, address) for family, _, _, _, address in found]


def is_loopback(host: str) -> bool:
    """Tell whether all that `host` (a name or an address) resolves to is this machine's own; raises OSError."""
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for _, address in _resolve(host, 0))


def open_unix_listener(path: Path) -> socket.socket:
    """Listen on a Unix socket that only its owner may connect to; raises OSError.

    A socket file of an agent that has died is replaced, one on which somebody listens is not.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _remove_if_dead(path)
        # The mode comes from the umask, so that there is no moment at which others can connect.
        before = os.umask(0o777 & ~OWNER_ONLY)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_if_dead(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "it exists and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
