"""Reads /proc/net for the agent's end of a connection over 127.0.0.1; detects IPv6."""

import socket
from pathlib import Path

import pytest
from agent import Agent, Client
from proc import eventually


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def port_of(client: Client) -> int:
    port: int = client.writer.get_extra_info("sockname")[1]
    return port


def unread_bytes(agent: Agent, port: int) -> int | None:
    """The number of bytes from the client on `port` that the agent has not read; None without such a connection."""
    ends = [f":{agent.port:04X}", f":{port:04X}"]
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, ours, theirs, _, queues, _, _, _, _, inode, *_ = line.split()
        # A socket without an inode is not accepted yet, or already closed: the kernel lists closed ones for a while.
        if [ours[-5:], theirs[-5:]] == ends and inode != "0":
            return int(queues.partition(":")[2], 16)
    return None


async def until_read(agent: Agent, client: Client) -> None:
    """Wait until the agent has read everything that this client has sent."""
    port = port_of(client)
    await eventually(lambda: unread_bytes(agent, port) == 0)


async def until_closed(agent: Agent, port: int) -> None:
    """Wait until the agent has closed its end."""
    await eventually(lambda: unread_bytes(agent, port) is None)
