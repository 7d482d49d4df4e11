"""Opens listening TCP sockets and formats their addresses."""

import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TypeAlias, cast

from ..linux.endpoint import Name
from .keepalive import probe_clients

BACKLOG = 1024
_ATTEMPTS = 16
"""Attempts to find a port that is free on all addresses."""
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors of bind(2) where this machine does not have the address, or not its address family."""

_Address: TypeAlias = tuple[socket.AddressFamily, Name]


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses of this machine to which `host` (a name or an address) resolves, on the same port.

    Port 0 selects a free port. Raises OSError, with the address as its `filename` if the error concerns one address.
    """
    addresses = _resolve(host, port)
    for _ in range(_ATTEMPTS):
        try:
            return _open_all(addresses)
        except OSError as error:
            # A port that is free on the first address may be in use on the next one.
            if port != 0 or len(addresses) == 1 or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "no port was found that is free on all addresses")


def format_address(listener: socket.socket) -> str:
    """Return `host:port`, or the path of a Unix socket."""
    if listener.family == socket.AF_UNIX:
        return str(listener.getsockname())
    return written(listener.getsockname())


def written(name: Name) -> str:
    """Return `host:port` for the name of a TCP socket, with brackets around an IPv6 address."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an address) resolves to loopback addresses only; raises OSError."""
    return all(ip_address(name[0].partition("%")[0]).is_loopback for _, name in _resolve(host, 0))


def _resolve(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "it is not the name of a host") from error
    # /etc/hosts may contain a name twice.
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
            # Without it, the address stays in use for a minute after a restart.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and not alone:
                # Otherwise it would also bind the IPv4 addresses, which have sockets of their own.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe_clients(listener)
            listener.bind(name)
            listener.listen(BACKLOG)
        except OSError as error:
            raise OSError(error.errno, error.strerror, written((str(name[0]), int(str(name[1]))))) from error
        undo.pop_all()
    return listener
