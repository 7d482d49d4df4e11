"""Probes that tell of clients on other hosts that they have vanished: of them, this host's kernel knows nothing."""

import socket

IDLE_SECONDS = 60
INTERVAL_SECONDS = 15
PROBES = 4
"""A host that vanishes without a word is found out two minutes after its last packet."""


def probe_clients(listener: socket.socket) -> None:
    """Have the kernel probe what will be accepted here, and end it where nobody answers: tcp(7), SO_KEEPALIVE.

    Accepted sockets inherit it. No TCP_USER_TIMEOUT: it would also end connections whose client takes its time to read.
    While an answer is under way, the kernel's own retransmissions, a quarter of an hour of them, find out.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
