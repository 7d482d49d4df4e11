"""Opens the listening sockets of the settings; an error is one line that names its cause."""

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
        """All listening sockets, TCP ones first."""
        return (*self.tcp, self.unix.socket) if self.unix else self.tcp

    @property
    def addresses(self) -> str:
        """All addresses, formatted for messages."""
        return " and ".join(format_address(listener) for listener in self.sockets)

    def remove(self) -> None:
        """Remove the file of the Unix socket; only logs a failure, since the next agent can start with that file."""
        if self.unix is None:
            return
        try:
            self.unix.remove()
        except OSError as error:
            _log.warning("cannot remove the Unix socket", path=str(self.unix.path), reason=error.strerror)


def listen(settings: Settings) -> Listening:
    """Open the listening sockets; raises ConfigurationError."""
    return Listening(_listen_tcp(settings), _listen_unix(settings.unix) if settings.unix else None)


def _listen_tcp(settings: Settings) -> tuple[socket.socket, ...]:
    where = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    try:
        loopback = is_loopback(settings.host)
        if not (settings.insecure_bind or loopback):
            raise ConfigurationError(
                f"will not listen on {where}, where other hosts could send commands in the clear; listen on 127.0.0.1"
                " and have clients use a tunnel (ssh -L, or TLS by stunnel), or override this with --insecure-bind"
            )
        opened = tuple(open_listeners(settings.host, settings.port))
    except OSError as error:
        address = str(error.filename or where)
        owner = _owner(address) if error.errno == errno.EADDRINUSE else None
        reason = f"it is taken by {owner}" if owner else str(error.strerror or error)
        hint = "free it, or " if error.errno == errno.EADDRINUSE else ""
        message = f"cannot listen on {address}: {reason}; {hint}choose another with --host or --port"
        raise ConfigurationError(message) from error
    if not loopback:
        _log.warning(
            "any client that can reach this port from another host can run commands, unencrypted (--insecure-bind)"
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
