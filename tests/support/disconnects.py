"""How clients go away without a word."""

import socket
import struct
from collections.abc import Callable

from agent import Client

AT_ONCE = struct.pack("ii", 1, 0)


def close(client: Client) -> None:
    """Close the socket, as the kernel does for a process that dies."""
    client.writer.transport.abort()


def reset(client: Client) -> None:
    """Close with a reset instead of an end-of-file: a linger of no time."""
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    client.writer.transport.abort()


def half_close_then_close(client: Client) -> None:
    """Say that no more requests come, as one who waits for answers does, and go all the same."""
    client.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    client.writer.transport.abort()


Departure = Callable[[Client], None]
DEPARTURES: tuple[Departure, ...] = (close, reset, half_close_then_close)
