"""How the log names clients: by address, and by user where the kernel knows it."""

import asyncio

import structlog

from .peers import Peer

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def address_text(name: object) -> str:
    """Return `host:port` for what getpeername(2) returns of TCP, and `unix` for the name of a Unix socket's client."""
    match name:
        case (str(host), int(port)) | (str(host), int(port), int(), int()):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return "unix"


def log_gone(transport: asyncio.Transport, peer: Peer, requests: int, error: Exception | None) -> None:
    """Log that a client has closed its connection, or lost it by `error`, before so many requests were answered."""
    if not requests:
        return
    _log.info(
        "client disconnected before its answers",
        client=address_text(transport.get_extra_info("peername")),
        user=peer.user,
        requests=requests,
        **({"error": str(error)} if error else {}),
    )
