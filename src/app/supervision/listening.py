"""Where the agent listens, by its settings; whatever stands in the way is one line that says who or what it is."""

import errno
import socket
from dataclasses import dataclass
from pathlib import Path

import structlog

from ...adapters.tcp.listener import format_address, is_loopback, open_listeners
from ...adapters.tcp.port_owner import owner_of_port
from ...adapters.tcp.unix_listener import UnixListener
from ..settings.model import Settings
from ..settings.sources import ConfigurationError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listening:
    """The listening sockets, TCP ones first."""

    tcp: tuple[socket.socket, ...]
    unix: UnixListener | None

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """All of them."""
        return (*self.tcp, self.unix.socket) if self.unix else self.tcp

    @property
    def addresses(self) -> str:
        """All of them, as people write them."""
        return " and ".join(format_address(listener) for listener in self.sockets)

    def remove(self) -> None:
        """Leave no file behind; says so if that is refused, since it does not hinder the next agent."""
        if self.unix is None:
            return
        try:
            self.unix.remove()
        except OSError as error:
            _log.warning("cannot remove the Unix socket", path=str(self.unix.path), reason=error.strerror)


def listen(settings: Settings) -> Listening:
    """Open them; raises ConfigurationError."""
    return Listening(_listen_tcp(settings), _listen_unix(settings.unix) if settings.unix else None)


def _listen_tcp(settings: Settings) -> tuple[socket.socket, ...]:
    where = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    try:
        within = is_loopback(settings.host)
        if not (settings.insecure_bind or within):
            raise ConfigurationError(
                f"will not listen on {where}, where other hosts could send commands in the clear; listen on 127.0.0.1"
                " and have clients use a tunnel (ssh -L, or TLS by stunnel), or override this with --insecure-bind"
            )
        opened = tuple(open_listeners(settings.host, settings.port))
    except OSError as error:
        address = str(error.filename or where)
        owner = _owner(address) if error.errno == errno.EADDRINUSE else None
        reason = f"it is taken by {owner}" if owner else str(error.strerror or error)
        free = "free it, or " if error.errno == errno.EADDRINUSE else ""
        message = f"cannot listen on {address}: {reason}; {free}choose another with --host or --port"
        raise ConfigurationError(message) from error
    if not within:
        _log.warning(
            "everybody who can reach this port from another host may run commands, unencrypted (--insecure-bind)"
        )
    return opened


def _owner(address: str) -> str | None:
    host, _, port = address.rpartition(":")
    return owner_of_port((host.strip("[]"), int(port)))


def _listen_unix(path: str) -> UnixListener:
    try:
        return UnixListener(Path(path))
    except OSError as error:
        message = f"cannot listen on {path}: {error.strerror or error}; choose another path with --unix"
        raise ConfigurationError(message) from error
