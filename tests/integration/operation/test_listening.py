import asyncio
import json
import re
import signal
import socket
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from gate import gate_in
from other_user import only_root, run_as_other_user
from proc import eventually
from proc_net import needs_ipv6


async def connect(host: str, agent: Agent) -> Client:
    return Client(*await asyncio.open_connection(host, agent.port))


async def check_served_and_killed_with_its_client(agent: Agent, host: str, folder: Path) -> None:
    """Check that the kernel's socket information is used: for the client's user, and to detect its disconnect."""
    with gate_in(folder) as gate:
        async with await connect(host, agent) as client:
            assert (await client.ask(command=["echo", "hi"]))["output"] == "hi\n"
            await client.request(command=gate.before("echo", "half-closed"))
            client.writer.write_eof()
            leaving = await connect(host, agent)
            await leaving.request(command=gate.before("true"))
            await gate.until_waiting(2)
            leaving.writer.transport.abort()
            await gate.until_waiting(1)
            gate.open()
            assert (await client.result())["output"] == "half-closed\n"


async def test_listening_log_line_names_usable_address() -> None:
    async with running_agent() as agent:
        (line,) = [json.loads(line) for line in agent.log_text().splitlines() if "listening" in line]
        assert line["event"] == f"listening on 127.0.0.1:{agent.port}"
        assert (await agent.run("echo", "hi"))["output"] == "hi\n"


@needs_ipv6
async def test_ipv6_clients_are_served_and_identified(tmp_path: Path) -> None:
    async with running_agent("--host", "::1") as agent:
        assert re.search(rf"listening on \[::1\]:{agent.port}\b", agent.log_text())
        await check_served_and_killed_with_its_client(agent, "::1", tmp_path)


@needs_ipv6
@only_root
async def test_other_user_is_rejected_over_ipv6() -> None:
    # Hazard 33.
    async with running_agent("--host", "::1") as agent:
        ask = 'exec 3<>"/dev/tcp/::1/$1" && echo "$2" >&3 && cat <&3'
        assert "may not send requests here" in await run_as_other_user(ask, str(agent.port), '{"command":["true"]}')


@pytest.mark.parametrize("host", ["0.0.0.0", pytest.param("::", marks=needs_ipv6)])  # noqa: S104 -- the test's subject
async def test_insecure_bind_serves_public_address(host: str, tmp_path: Path) -> None:
    async with running_agent("--host", host, "--insecure-bind") as agent:
        await check_served_and_killed_with_its_client(agent, "127.0.0.1", tmp_path)
        if host == "::":
            await check_served_and_killed_with_its_client(agent, "::1", tmp_path)


async def test_restarted_agent_reuses_port() -> None:
    async with running_agent() as agent, await agent.connect() as client:
        assert (await client.ask(command=["echo", "1"]))["output"] == "1\n"
        # The agent closes the connection first, so that its address stays in TIME_WAIT for a minute.
        agent.process.send_signal(signal.SIGTERM)
        assert await client.at_end() == b""
        client.writer.close()
        assert await agent.process.wait() == 0
        async with running_agent("--port", str(agent.port)) as successor:
            assert successor.port == agent.port
            assert (await successor.run("echo", "2"))["output"] == "2\n"


async def test_no_listening_socket_remains_after_exit() -> None:
    async with running_agent() as agent:
        assert (await agent.run("true"))["exit_code"] == 0
        assert await agent.stop() == 0
        await eventually(lambda: refused(agent.port))


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
