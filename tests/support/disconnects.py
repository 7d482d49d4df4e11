"""The ways in which a client can disconnect."""

import socket
import struct
from collections.abc import Callable

from agent import Client

ZERO_LINGER = struct.pack("ii", 1, 0)


def close(client: Client) -> None:
    """Close the socket, as the kernel does when a process dies."""
    client.writer.transport.abort()


def reset(client: Client) -> None:
    """Close with a reset instead of end-of-file: SO_LINGER of zero seconds."""
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ZERO_LINGER)
    client.writer.transport.abort()


def half_close_then_close(client: Client) -> None:
    """Shut down the sending side, as a client that waits for results does, and then close anyway."""
    client.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    client.writer.transport.abort()


Disconnect = Callable[[Client], None]
DISCONNECTS: tuple[Disconnect, ...] = (close, reset, half_close_then_close)
