"""The address to listen on is already in use: the agent names the process, and never blocks on it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from proc import eventually
from proc_net import needs_ipv6

SERVE = (sys.executable, "-m", "execwire", "serve")
OWN_NAME = Path("/proc/self/comm").read_text(encoding="ascii").strip()

BOTH = """
import socket
def getaddrinfo(host, port, *arguments, real=socket.getaddrinfo, **options):
    addresses = ("::1", "127.0.0.1") if host == "localhost" else (host,)
    return [found for address in addresses for found in real(address, port, *arguments, **options)]
socket.getaddrinfo = getaddrinfo
"""


def refusal(*options: str, environment: dict[str, str] | None = None) -> str:
    run = subprocess.run(
        (*SERVE, *options),
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **(environment or {})},
    )
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    return run.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_process_that_uses_the_port_is_named(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        message = refusal("--host", host, "--port", str(port))
    assert f"cannot listen on {address}: it is taken by pid {os.getpid()} ({OWN_NAME}); free it" in message


def test_process_that_blocks_wildcard_address_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        message = refusal("--host", "0.0.0.0", "--insecure-bind", "--port", str(taken.getsockname()[1]))  # noqa: S104
    assert f"it is taken by pid {os.getpid()}" in message


def test_port_bound_by_non_listening_socket_is_in_use() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        message = refusal("--port", str(bound.getsockname()[1]))
    assert "Address already in use; free it, or choose another with --host or --port" in message


@pytest.fixture
def both(tmp_path: Path) -> dict[str, str]:
    """The environment of a host on which localhost resolves to both addresses, whatever it resolves to here."""
    (tmp_path / "sitecustomize.py").write_text(BOTH)
    return {"PYTHONPATH": str(tmp_path)}


@needs_ipv6
async def test_localhost_is_served_on_each_of_its_addresses(both: dict[str, str]) -> None:
    async with running_agent("--host", "localhost", environment=both) as agent:
        assert f"listening on [::1]:{agent.port} and 127.0.0.1:{agent.port}" in agent.log_text()
        for address in ("::1", "127.0.0.1"):
            async with Client(*await asyncio.open_connection(address, agent.port)) as client:
                assert (await client.ask(command=["echo", "hi"]))["output"] == "hi\n"


@needs_ipv6
def test_process_that_uses_one_address_of_localhost_is_named(both: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refusal("--host", "localhost", "--port", str(port), environment=both)
        assert f"127.0.0.1:{port}: it is taken by pid {os.getpid()}" in message


@pytest.fixture
def full_backlog(tmp_path: Path) -> Iterator[Path]:
    """The path of a Unix socket whose listener does not accept and whose backlog is full."""
    path = tmp_path / "execwire.sock"
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)  # noqa: FBT003 -- its only form
            try:
                client.connect(str(path))
            except BlockingIOError:
                break
        yield path


def test_unix_socket_with_full_backlog_does_not_block_start(full_backlog: Path) -> None:
    assert f"cannot listen on {full_backlog}: somebody listens on it" in refusal(
        "--port", "0", "--unix", str(full_backlog)
    )
    assert full_backlog.is_socket()


def test_process_that_listens_on_unix_socket_is_named(tmp_path: Path) -> None:
    path = tmp_path / "execwire.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        message = refusal("--port", "0", "--unix", str(path))
    assert f"cannot listen on {path}: it is taken by pid {os.getpid()} ({OWN_NAME}); choose another path" in message


async def stop(agent: Agent) -> str:
    assert await agent.stop() == 0
    return agent.log_text()


async def test_socket_file_taken_over_by_other_agent_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "execwire.sock"
    async with running_agent("--unix", str(path)) as agent:
        path.unlink()
        async with running_agent("--unix", str(path)) as other:
            assert "cannot remove" not in await stop(agent)
            async with Client(*await asyncio.open_unix_connection(path)) as client:
                assert (await client.ask(command=["echo", "hi"]))["output"] == "hi\n"
            await stop(other)
    assert not path.exists()


@pytest.mark.parametrize("missing", [True, False])
async def test_socket_file_that_cannot_be_removed_or_is_missing_does_not_fail_shutdown(
    tmp_path: Path, *, missing: bool
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with running_agent("--unix", str(folder / "execwire.sock")) as agent:
        folder.rename(tmp_path / "elsewhere")
        if not missing:
            folder.write_text("no longer a directory")
        log = await stop(agent)
        await eventually(lambda: agent.process.returncode == 0)
    assert ("cannot remove the Unix socket" in log) is not missing


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 200])
def test_invalid_unix_socket_path_is_one_line(tmp_path: Path, path: str) -> None:
    config = tmp_path / "execwire.toml"
    config.write_text(f'unix = "{path}"\n'.replace("\0", "\\u0000"))
    assert "unix" in refusal("--port", "0", "--config", str(config))


async def test_address_reachable_from_other_hosts_logs_warning() -> None:
    async with running_agent("--host", "0.0.0.0", "--insecure-bind") as agent:  # noqa: S104 -- the test's subject
        assert "can run commands, unencrypted (--insecure-bind)" in agent.log_text()
    async with running_agent("--insecure-bind") as agent:
        assert "--insecure-bind" not in agent.log_text()
