"""Hazard 33: attacks by which another user tries to be identified as an authorised one."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import struct
import sys
from pathlib import Path

import pytest
from agent import Agent, running_agent
from namespaces import namespaces
from other_user import OTHER_USER, THIRD_USER, becoming, only_root, skip_unless_user_can_run_agent
from proc import eventually

pytestmark = only_root
CAP_NET_ADMIN = 12
HOST = "127.0.0.1"

FORGE_AND_ASK = """
import contextlib, os, socket, struct, sys
assert os.getuid() == int(sys.argv[4])
answer = struct.pack("=BBBB36xI8sIIIII", 2, 1, 0, 0, 0, b"a cookie", 0, 0, 0, 0, 1)
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
    for number in range(2, 30):
        with contextlib.suppress(ConnectionRefusedError):
            message = struct.pack("=IHHII", 16 + len(answer), 20, 0, number, 0) + answer
            netlink.sendto(message, (int(sys.argv[1]), 0))
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as client:
    client.sendall(sys.argv[3].encode() + b"\\n")
    print(client.makefile().readline())
"""
"""Forges the kernel's reply that root owns the socket, for all sequence numbers but the first; they start at 1."""

HOLD_NEXT_QUERY = """
import os, socket, time
class Held(socket.socket):
    def send(self, *arguments):
        if self.family == socket.AF_NETLINK:
            try:
                os.rename(os.environ["HOLD"], os.environ["HOLD"] + ".held")
            except FileNotFoundError:
                pass
            while os.path.exists(os.environ["HOLD"] + ".held"):
                time.sleep(0.001)
        return super().send(*arguments)
socket.socket = Held
"""


def touching(trace: Path) -> bytes:
    return json.dumps({"command": ["touch", str(trace)]}).encode() + b"\n"


def connection(agent: Agent, user: int, port: int = 0) -> socket.socket:
    """Return a socket of that user, bound to that port, not connected yet."""
    os.seteuid(user)
    try:
        client = socket.socket()
    finally:
        os.seteuid(0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((HOST, port))
    assert agent.port
    return client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    client.close()


async def test_forged_netlink_reply_gives_no_access(tmp_path: Path) -> None:
    bounding = int(re.findall(r"CapBnd:\s*(\w+)", Path("/proc/self/status").read_text(encoding="ascii"))[0], 16)
    if not bounding >> CAP_NET_ADMIN & 1:
        pytest.skip("root has no CAP_NET_ADMIN here that it could give away")
    able = becoming(THIRD_USER, "--bounding-set=-all,+net_admin", "--inh-caps=+net_admin", "--ambient-caps=+net_admin")
    skip_unless_user_can_run_agent(able)
    async with running_agent() as agent:
        # The first query opens the socket; the reply to the second one is forged.
        assert (await agent.run("echo", "served"))["output"] == "served\n"
        process = await asyncio.create_subprocess_exec(
            *able, sys.executable, "-c", FORGE_AND_ASK,
            str(agent.worker), str(agent.port), touching(tmp_path / "ran").decode().strip(), str(THIRD_USER),
            stdout=asyncio.subprocess.PIPE, cwd="/",
        )  # fmt: skip
        output, _ = await process.communicate()
        assert f"user {THIRD_USER} may not" in json.loads(output)["error"]
        # The forged replies do not shift the replies to later queries either.
        for _ in range(3):
            assert (await agent.run("echo", "served"))["output"] == "served\n"
    assert not (tmp_path / "ran").exists()


async def test_new_owner_of_port_of_reset_connection_is_not_mistaken_for_its_client(tmp_path: Path) -> None:
    trace, hold, held = tmp_path / "ran", tmp_path / "hold", tmp_path / "hold.held"
    (tmp_path / "sitecustomize.py").write_text(HOLD_NEXT_QUERY)
    async with running_agent(
        "--lost-client", "finish", environment={"PYTHONPATH": str(tmp_path), "HOLD": str(hold)}
    ) as agent:
        assert (await agent.run("echo", "served"))["output"] == "served\n"
        hold.touch()
        attacker = connection(agent, OTHER_USER)
        attacker.connect((HOST, agent.port))
        attacker.sendall(touching(trace))
        await eventually(held.exists)
        # The agent is about to query the socket's owner; the client resets, and root gets its port.
        port = attacker.getsockname()[1]
        reset(attacker)
        with connection(agent, 0, port) as successor:
            successor.connect((HOST, agent.port))
            held.unlink()
            await asyncio.to_thread(check_served, successor)
        assert (await agent.run("echo", "served"))["output"] == "served\n"
    assert not trace.exists()


def check_served(client: socket.socket) -> None:
    client.settimeout(20)
    client.sendall(b'{"command":["echo","hi"]}\n')
    assert json.loads(client.makefile().readline())["output"] == "hi\n"


async def test_socket_connecting_from_port_of_closed_client_is_not_mistaken_for_it(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "ran"
    with namespaces(1) as [namespace]:
        namespace.set("ipv4/tcp_fin_timeout", 1)
        if not Path("/proc/sys/net/ipv4/tcp_challenge_ack_limit").exists():
            pytest.skip("this kernel has no limit of challenge ACKs")
        # A closing connection responds to a new SYN with a challenge ACK, unless the limit is used up.
        namespace.set("ipv4/tcp_challenge_ack_limit", 1)
        async with running_agent("--lost-client", "finish", launcher=namespace.launcher) as agent:
            with namespace.entered():
                attackers = [connection(agent, OTHER_USER) for _ in range(2)]
            ports = [attacker.getsockname()[1] for attacker in attackers]
            os.kill(agent.worker, signal.SIGSTOP)
            try:
                for attacker in attackers:
                    attacker.connect((HOST, agent.port))
                    attacker.sendall(touching(trace))
                    attacker.close()
                await eventually(lambda: not states(agent, *ports), 20.0)
                with namespace.entered():
                    successors = [connection(agent, 0, port) for port in ports]
                for successor in successors:
                    successor.setblocking(False)  # noqa: FBT003 -- its only form
                    with contextlib.suppress(BlockingIOError):
                        successor.connect((HOST, agent.port))
                assert states(agent, ports[1]) == ["02"], "it should be in SYN-SENT"
            finally:
                os.kill(agent.worker, signal.SIGCONT)
            await eventually(lambda: "client refused" in agent.log_text())
            for successor in successors:
                successor.close()
    assert not trace.exists()


def states(agent: Agent, *ports: int) -> list[str]:
    """Return the states of the sockets with these ports in the agent's network namespace."""
    lines = [line.split() for line in Path(f"/proc/{agent.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return [line[3] for line in lines if int(line[1].partition(":")[2], 16) in ports]
