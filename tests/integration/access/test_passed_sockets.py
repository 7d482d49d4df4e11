"""Hazard 33: a TCP socket created by root and held by a process of another user; the kernel reports root as owner."""

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, running_agent
from other_user import AS_OTHER_USER, THIRD_USER, becoming, only_root, skip_unless_user_can_run_agent

pytestmark = only_root

TAKE_BACK_AND_ASK = """
import ctypes, os, socket, sys
handed_over = socket.socket(fileno=int(sys.argv[1]))
assert os.getresuid() == (int(sys.argv[4]),) * 3
unspecified = ctypes.create_string_buffer(16)
assert ctypes.CDLL(None).connect(handed_over.fileno(), unspecified, 16) == 0
handed_over.connect(("127.0.0.1", int(sys.argv[2])))
handed_over.sendall(sys.argv[3].encode() + b"\\n")
print(handed_over.makefile().readline())
"""
"""connect(2) with AF_UNSPEC dissolves a connection or ends listening; then the socket can connect again."""


async def ask_through(handed_over: socket.socket, agent: Agent, trace: Path) -> str:
    """Send a request through this socket from a process that is entirely another user's; return the error it gets."""
    request = json.dumps({"command": ["touch", str(trace)]})
    process = await asyncio.create_subprocess_exec(
        *becoming(THIRD_USER, "--bounding-set=-all", "--inh-caps=-all"), sys.executable, "-c", TAKE_BACK_AND_ASK,
        str(handed_over.fileno()), str(agent.port), request, str(THIRD_USER),
        stdout=asyncio.subprocess.PIPE, pass_fds=(handed_over.fileno(),), cwd="/",
    )  # fmt: skip
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    error: str = json.loads(output)["error"]
    return error


@pytest.fixture
def trace() -> Iterator[Path]:
    """A file that every user can create."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder) / "ran"


@pytest.mark.parametrize("listening", [True, False])
async def test_passed_socket_of_root_is_rejected(trace: Path, *, listening: bool) -> None:
    skip_unless_user_can_run_agent()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connected:
        async with running_agent(launcher=AS_OTHER_USER) as agent:
            error = await ask_through(server if listening else connected, agent, trace)
    assert "--allow-user root" in error
    assert not trace.exists()


async def test_passed_socket_is_accepted_where_root_may_connect_over_tcp(trace: Path) -> None:
    # The kernel reports nothing more precise; docs/guarantees.md says so.
    skip_unless_user_can_run_agent()
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with running_agent() as agent:
            assert await ask_through(server, agent, trace) == ""
    assert trace.exists()
