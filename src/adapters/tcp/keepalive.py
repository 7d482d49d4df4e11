"""TCP keep-alive: detects the disappearance of other hosts, whose sockets this host's kernel does not know."""

import socket

IDLE_SECONDS = 60
INTERVAL_SECONDS = 15
PROBES = 4
"""With these values a host that disappears is detected two minutes after its last packet."""


def probe_clients(listener: socket.socket) -> None:
    """Enable keep-alive (tcp(7), SO_KEEPALIVE) for accepted connections; the kernel closes those that do not respond.

    Accepted sockets inherit it. No TCP_USER_TIMEOUT: it would also close connections whose client reads slowly.
    While sent data is unacknowledged, the kernel's retransmissions detect the same, after a quarter of an hour.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
