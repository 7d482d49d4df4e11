"""Listening TCP sockets: where the agent can be reached."""

import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TypeAlias, cast

from ..linux.endpoint import Name
from .keepalive import probe_clients

BACKLOG = 1024
_ATTEMPTS = 16
"""To find a port that is free on several addresses."""
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What binding comes to where this machine does not have the address, or no such family at all."""

_Address: TypeAlias = tuple[socket.AddressFamily, Name]


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Bind and listen on all addresses of this machine that `host` (a name or an address) has, all on one port.

    Port 0 takes one that is free. Raises OSError, with the address as its `filename` where it is about one.
    """
    addresses = _resolve(host, port)
    for _ in range(_ATTEMPTS):
        try:
            return _open_all(addresses)
        except OSError as error:
            # A port that was free on the first address need not be free on the next.
            if port != 0 or len(addresses) == 1 or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "no port was found that is free on all addresses")


def format_address(listener: socket.socket) -> str:
    """Return `host:port` as people write it."""
    if listener.family == socket.AF_UNIX:
        return str(listener.getsockname())
    return written(listener.getsockname())


def written(name: Name) -> str:
    """Return the same for the name of a socket."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether all that `host` (a name or an address) resolves to is this machine's own; raises OSError."""
    return all(ip_address(name[0].partition("%")[0]).is_loopback for _, name in _resolve(host, 0))


def _resolve(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "it is not the name of a host") from error
    # A name may stand in /etc/hosts twice.
    return list(dict.fromkeys((family, cast("Name", name)) for family, _, _, _, name in found))


def _open_all(addresses: list[_Address]) -> list[socket.socket]:
    opened: list[socket.socket] = []
    missing: OSError | None = None
    with ExitStack() as undo:
        for family, name in addresses:
            port = opened[0].getsockname()[1] if opened else name[1]
            try:
                listener = _open(family, (name[0], port, *name[2:]), alone=len(addresses) == 1)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            undo.callback(listener.close)
            opened.append(listener)
        if missing is not None and not opened:
            raise missing
        undo.pop_all()
    return opened


def _open(family: socket.AddressFamily, name: tuple[object, ...], *, alone: bool) -> socket.socket:
    with ExitStack() as undo:
        try:
            listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            undo.callback(listener.close)
            # Without it, the address stays taken for a minute after a restart.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and not alone:
                # Or it would take the IPv4 addresses too, which have sockets of their own.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe_clients(listener)
            listener.bind(name)
            listener.listen(BACKLOG)
        except OSError as error:
            raise OSError(error.errno, error.strerror, written((str(name[0]), int(str(name[1]))))) from error
        undo.pop_all()
    return listener
