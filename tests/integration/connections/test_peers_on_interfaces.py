"""Clients that need another sock_diag query than most (bound to an interface, remote): none counts as disconnected."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent import Agent
from gate import gate_in
from module_agent import module_agent
from namespaces import Namespace, connect, namespaces
from other_user import OTHER_USER

KEEPALIVE = "02"
"""The code of the keepalive timer in /proc/net/tcp."""
SLOW = ("sh", "-c", "sleep 0.7; echo served")
"""Longer than two checks of the peer take."""


@dataclass(frozen=True)
class Hosts:
    """Two hosts, and two agents on the first: one that accepts all users and one that does not."""

    here: Namespace
    there: Namespace
    agents: dict[bool, Agent]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with namespaces(2) as (here, there):
        connect(here, there)
        options = ("--host", "::", "--insecure-bind")
        with (
            module_agent(*options, launcher=here.launcher) as restricted,
            module_agent(*options, "--allow-user", "*", launcher=here.launcher) as unrestricted,
        ):
            yield Hosts(here, there, {True: unrestricted, False: restricted})


def client(namespace: Namespace, host: str, port: int, *, interface: str = "", user: int = 0) -> socket.socket:
    """Connect from that namespace, as that user, bound to that interface."""
    with namespace.entered():
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        os.seteuid(user)
        try:
            connected = socket.socket(family, kind)
        finally:
            os.seteuid(0)
        connected.settimeout(20)
        if interface:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        connected.connect(address)
    return connected


def ask(connected: socket.socket, *command: str) -> tuple[str, str]:
    """Send a request, half-close, and return output and error."""
    with connected:
        connected.sendall(json.dumps({"command": command}).encode() + b"\n")
        connected.shutdown(socket.SHUT_WR)
        answer = json.loads(connected.makefile().readline())
    return answer["output"], answer["error"]


@pytest.mark.parametrize("all_users", [True, False])
@pytest.mark.parametrize(
    ("host", "interface"), [("127.0.0.1", "lo"), ("10.9.8.1", "veth0"), ("10.9.8.1", ""), ("fe80::1%veth0", "")]
)
async def test_local_client_can_half_close_on_every_interface(
    hosts: Hosts, host: str, interface: str, tmp_path: Path, *, all_users: bool
) -> None:
    port = hosts.agents[all_users].port
    own, other = (client(hosts.here, host, port, interface=interface, user=user) for user in (0, OTHER_USER))
    slow = asyncio.create_task(asyncio.to_thread(ask, own, *SLOW))
    output, error = await asyncio.to_thread(ask, other, "echo", "served")
    assert (output == "served\n") is all_users
    assert (f"user {OTHER_USER} may not" in error) is not all_users
    with gate_in(tmp_path) as gate, closing(client(hosts.here, host, port, interface=interface)) as leaving:
        leaving.sendall(json.dumps({"command": gate.before("true")}).encode() + b"\n")
        leaving.shutdown(socket.SHUT_WR)
        await gate.until_waiting(1)
        leaving.close()
        await gate.until_none_waiting()
    assert await slow == ("served\n", "")


@pytest.mark.parametrize("nonlocal_bind", [0, 1])
async def test_remote_client_can_half_close_and_is_probed_by_keepalive(hosts: Hosts, nonlocal_bind: int) -> None:
    hosts.here.set("ipv4/ip_nonlocal_bind", nonlocal_bind)
    hosts.here.set("ipv6/ip_nonlocal_bind", nonlocal_bind)
    slow = [
        asyncio.to_thread(ask, client(hosts.there, host, agent.port), *SLOW)
        for agent in hosts.agents.values()
        for host in ("10.9.8.1", "fe80::1%veth0")
    ]
    agent = hosts.agents[True]
    with client(hosts.there, "10.9.8.1", agent.port) as idle:
        assert await asyncio.gather(*slow) == [("served\n", "")] * 4
        assert timers(agent.worker, idle.getsockname()[1]) == [KEEPALIVE]


def timers(process: int, port: int) -> list[str]:
    """Return the timers of connections to that port in the network namespace of a process."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{process}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return [line[5].partition(":")[0] for line in lines if line[2].endswith(f":{port:04X}")]
