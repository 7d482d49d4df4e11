"""Clients that do not read their results: the agent stays within its memory budget and serves all others."""

import asyncio
import contextlib
import json
import os
import signal

from agent import running_agent
from proc import eventually, memory_kib

KIB = 1024
BUDGET_KIB, SLACK_KIB = 32 * KIB, 64 * KIB
LINE = json.dumps({"command": ["true", *["ab"] * 150_000]}, separators=(",", ":")).encode() + b"\n"
"""As Python strings it takes fifteen times as much memory."""


async def test_unread_results_stay_within_memory_budget() -> None:
    async with running_agent("--max-memory", "32MiB", "--drain-seconds", "0") as agent:
        hogs = [await asyncio.open_connection("127.0.0.1", agent.port, limit=4096) for _ in range(3)]

        async def send(writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                for _ in range(40):
                    writer.write(LINE)
                    await writer.drain()

        sending = [asyncio.create_task(send(writer)) for _, writer in hogs]
        highest = 0
        for _ in range(30):
            assert (await agent.run("echo", "hi"))["output"] == "hi\n"
            highest = max(highest, memory_kib(agent.worker, "RssAnon"))
            await asyncio.sleep(0.05)
        await eventually(lambda: memory_kib(agent.worker, "RssAnon") < BUDGET_KIB + SLACK_KIB)
        assert highest < BUDGET_KIB + SLACK_KIB
        for task, (_, writer) in zip(sending, hogs, strict=True):
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*sending, return_exceptions=True)


async def test_clients_whose_queued_requests_fill_memory_budget_get_results() -> None:
    async with running_agent("--max-memory", "2MiB") as agent:
        clients = [await asyncio.open_connection("127.0.0.1", agent.port, limit=256 * KIB) for _ in range(20)]
        line = json.dumps({"command": ["true", *[""] * 25_000]}, separators=(",", ":")).encode() + b"\n"
        # All requests are in the socket buffers before the worker reads any.
        os.kill(agent.worker, signal.SIGSTOP)
        for _, writer in clients:
            writer.write(line)
        await eventually(lambda: not any(writer.transport.get_write_buffer_size() for _, writer in clients))
        os.kill(agent.worker, signal.SIGCONT)
        async with asyncio.timeout(30):
            answers = [await reader.readline() for reader, _ in clients]
        assert [json.loads(answer)["exit_code"] for answer in answers] == [0] * len(clients)
        for _, writer in clients:
            writer.close()
