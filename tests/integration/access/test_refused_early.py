"""Hazard 33: a client that is rejected may have sent its command before it was accepted."""

import asyncio
import json
import socket
from pathlib import Path

from agent import running_agent

CLIENTS = 40


def refused(port: int, request: bytes) -> list[str]:
    """Send without waiting for a response; return the errors of all results."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(20)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return [json.loads(line)["error"] for line in answer.splitlines()]


async def test_data_sent_before_rejection_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    request = json.dumps({"command": ["touch", str(mark)]}).encode() + b"\n"
    async with running_agent("--max-connections", "1") as agent, await agent.connect() as client:
        await client.ask(command=["true"])
        for _ in range(CLIENTS):
            errors = await asyncio.to_thread(refused, agent.port, request)
            assert [error[:8] for error in errors] == ["refused:"]
            assert "--max-connections" in errors[0]
    assert not mark.exists()
