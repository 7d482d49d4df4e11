"""Log lines about clients, with their address, and their user if the kernel knows it."""

import asyncio

import structlog

from .peers import Peer

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def address_text(name: object) -> str:
    """Return `host:port` for a TCP name as getpeername(2) returns it, and `unix` for the name of a Unix socket."""
    match name:
        case (str(host), int(port)) | (str(host), int(port), int(), int()):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return "unix"


def log_gone(transport: asyncio.Transport, peer: Peer, requests: int, error: Exception | None) -> None:
    """Log that a client has disconnected, or lost the connection by `error`, with so many `requests` unanswered."""
    if not requests:
        return
    _log.info(
        "client disconnected before its answers",
        client=address_text(transport.get_extra_info("peername")),
        user=peer.user,
        requests=requests,
        **({"error": str(error)} if error else {}),
    )
