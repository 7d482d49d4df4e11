import asyncio
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from gate import Gate, gate_in
from other_user import OTHER_USER, only_root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "execwire.sock"


async def connect(path: Path) -> Client:
    return Client(*await asyncio.open_unix_connection(path))


async def check_served(agent: Agent, path: Path) -> None:
    """Check that a client of either socket gets its result."""
    assert (await agent.run("echo", "tcp"))["output"] == "tcp\n"
    async with await connect(path) as client:
        assert (await client.ask(command=["echo", "unix"]))["output"] == "unix\n"


async def test_unix_socket_serves_its_owner_only_and_is_removed_at_shutdown(path: Path) -> None:
    async with running_agent("--unix", str(path)) as agent:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.search(rf"listening on 127\.0\.0\.1:{agent.port} and {re.escape(str(path))}", agent.log_text())
        await check_served(agent, path)
        assert await agent.stop() == 0
    assert not path.exists()


async def test_stale_socket_of_dead_agent_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with running_agent("--unix", str(path)) as agent:
        await check_served(agent, path)


def test_socket_in_use_and_regular_file_are_not_replaced(path: Path) -> None:
    command = (sys.executable, "-m", "execwire", "serve", "--port", "0", "--unix", str(path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        in_use = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert path.is_socket()
    path.unlink()
    path.write_text("mine")
    no_socket = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert path.read_text() == "mine"
    for run in (in_use, no_socket):
        assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
        assert f"cannot listen on {path}: " in run.stderr


# Hazard 26.
async def test_unix_disconnect_kills_tasks_and_half_close_does_not(path: Path, tmp_path: Path) -> None:
    async with running_agent("--unix", str(path), "--max-in-flight", "2") as agent:
        with gate_in(tmp_path) as gate:
            async with await connect(path) as half_closed:
                await half_closed.request(command=gate.before("echo", "answered"))
                half_closed.writer.write_eof()
                await gate.until_waiting(1)
                for paused in (False, True):
                    await check_disconnect(path, gate, requests=4 if paused else 1, running=2 if paused else 1)
                gate.open()
                assert (await half_closed.result())["output"] == "answered\n"
        await check_served(agent, path)


async def check_disconnect(path: Path, gate: Gate, *, requests: int, running: int) -> None:
    client = await connect(path)
    for _ in range(requests):
        await client.request(command=gate.before("true"))
    await gate.until_waiting(running + 1)
    client.writer.transport.abort()
    await gate.until_waiting(1)


# Hazard 33.
@only_root
async def test_other_user_with_access_to_socket_file_is_rejected() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "execwire.sock"
        async with running_agent("--unix", str(path)) as agent:
            with pytest.raises(PermissionError):
                connect_as_other_user(path)
            path.chmod(0o666)
            async with Client(*await asyncio.open_unix_connection(sock=connect_as_other_user(path))) as client:
                assert f"user {OTHER_USER} may not send requests here" in (await client.result())["error"]
                assert await client.at_end() == b""
            await check_served(agent, path)


def connect_as_other_user(path: Path) -> socket.socket:
    """Connect with the effective uid of the other user; the kernel records it as the peer's credentials."""
    client = socket.socket(socket.AF_UNIX)
    os.seteuid(OTHER_USER)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    finally:
        os.seteuid(0)
    return client
