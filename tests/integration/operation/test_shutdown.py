import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from gate import Gate, gate_in
from proc import eventually
from proc_net import until_read

RUNNING = 100
CLIENTS = 4
MIB = 1024 * 1024
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONG_DRAIN = ("--drain-seconds", "600")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as gate:
        yield gate


def logged_stops(agent: Agent) -> int:
    """Return how many times the agent has logged that it is stopping."""
    return sum(json.loads(line)["event"] == "stopping" for line in agent.log_text().splitlines())


async def signalled(agent: Agent, number: int) -> None:
    agent.process.send_signal(number)
    await eventually(lambda: logged_stops(agent) == 1)


async def ended(agent: Agent) -> int:
    """Wait for the exit without another signal; return the exit status."""
    async with asyncio.timeout(30):
        return await agent.process.wait()


async def close(*clients: Client) -> None:
    """Close connections on which the agent has sent end-of-file; otherwise it would wait briefly for that."""
    for client in clients:
        client.writer.close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()


# Hazard 31.
async def test_accepted_request_in_any_state_gets_one_result_at_shutdown(gate: Gate) -> None:
    async with running_agent("--max-running", str(RUNNING), *LONG_DRAIN) as agent:
        slow = Client(*await asyncio.open_connection("127.0.0.1", agent.port, limit=4096))
        # Its result is being sent when the shutdown begins; the rest is read at the end.
        await slow.request(command=["head", "-c", str(16 * MIB), "/dev/zero"])
        await slow.reader.readuntil(b',"output":"')
        clients = [await agent.connect() for _ in range(CLIENTS)]
        total = 2 * RUNNING
        for number in range(total):
            await clients[number % CLIENTS].request(command=gate.before("echo", str(number)), id=number)
        await gate.until_waiting(RUNNING)
        for client in clients:
            await until_read(agent, client)
        await signalled(agent, signal.SIGTERM)
        late = await agent.connect()
        late.writer.write(b'{"command":["echo","late"]}\n')
        gate.open()
        seen: Counter[int] = Counter()
        ends: Counter[str] = Counter()
        for text in await asyncio.gather(*(client.at_end() for client in clients)):
            for result in map(json.loads, text.splitlines()):
                seen[result["id"]] += 1
                ends[result["error"]] += 1
                assert result["output"] == ("" if result["error"] else f"{result['id']}\n")
        assert seen == dict.fromkeys(range(total), 1)
        assert ends.pop("") == RUNNING
        ((reason, refused),) = ends.items()
        assert (reason.startswith("the agent is stopping; nothing was run"), refused) == (True, RUNNING)
        assert len(await slow.reader.read(-1)) == 16 * MIB * len("\\u0000") + len('","error":""}\n')
        await close(slow, late, *clients)
        assert await ended(agent) == 0
        (stopped,) = [line for line in map(json.loads, agent.log_text().splitlines()) if line["event"] == "stopped"]
        assert (stopped["killed"], stopped["unanswered_clients"]) == (0, 0)


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_each_stop_signal_shuts_down_cleanly_with_status_0(gate: Gate, number: int) -> None:
    async with running_agent(*LONG_DRAIN) as agent, await agent.connect() as client, await agent.connect() as idle:
        await client.request(command=gate.before("echo", "uninterrupted"))
        await gate.until_waiting(1)
        await signalled(agent, number)
        assert await idle.at_end() == b""
        assert gate.waiting() == 1
        gate.open()
        assert (await client.result())["output"] == "uninterrupted\n"
        assert await client.at_end() == b""
        await close(idle, client)
        assert await ended(agent) == 0


async def test_task_that_exceeds_drain_is_killed_and_reported(gate: Gate) -> None:
    async with running_agent("--drain-seconds", "0.3") as agent, await agent.connect() as client:
        await client.request(command=gate.before("true"))
        await client.request(command=gate.before("true"), id=1)
        await gate.until_waiting(2)
        await signalled(agent, signal.SIGTERM)
        for _ in range(2):
            result = await client.result()
            assert (result["command"], result["exit_code"], result["output"]) == (gate.before("true"), -1, "")
            assert result["error"] == "the agent is stopping; the task was killed before it had ended"
        assert gate.waiting() == 0
        await close(client)
        assert await ended(agent) == 0


async def test_second_signal_kills_running_tasks_at_once(gate: Gate) -> None:
    async with running_agent(*LONG_DRAIN) as agent, await agent.connect() as client:
        await client.request(command=gate.before("true"))
        await gate.until_waiting(1)
        await signalled(agent, signal.SIGTERM)
        assert gate.waiting() == 1
        # A signal right after the first one counts as the same event; a later one counts as the second.
        await eventually(lambda: '"waiting for running tasks' in agent.log_text())
        assert '"tasks": 1, "seconds": 600.0' in agent.log_text()
        killed = asyncio.create_task(client.result())
        while not killed.done():
            agent.process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.05)
        assert "killed" in killed.result()["error"]
        await close(client)
        assert await ended(agent) == 0
        assert gate.waiting() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_two_signals_in_quick_succession_kill_nothing(gate: Gate, number: int) -> None:
    # As sent by a terminal that closes, or by timeout(1).
    async with running_agent(*LONG_DRAIN) as agent, await agent.connect() as client:
        await client.request(command=gate.before("echo", "uninterrupted"))
        await gate.until_waiting(1)
        for _ in range(2):
            agent.process.send_signal(number)
            await asyncio.sleep(0.001)
        await eventually(lambda: logged_stops(agent) == 1)
        assert gate.waiting() == 1
        gate.open()
        assert (await client.result())["output"] == "uninterrupted\n"
        await close(client)
        assert await ended(agent) == 0
        assert logged_stops(agent) == 1


async def test_sigquit_kills_running_tasks_at_once(gate: Gate) -> None:
    async with running_agent(*LONG_DRAIN) as agent, await agent.connect() as client:
        await client.request(command=gate.before("true"))
        await gate.until_waiting(1)
        agent.process.send_signal(signal.SIGQUIT)
        assert "killed" in (await client.result())["error"]
        await close(client)
        assert await ended(agent) == 0
        assert gate.waiting() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_sent_to_all_processes_of_agent_counts_once(gate: Gate, number: int) -> None:
    # As sent by a terminal or a service manager.
    async with running_agent("--workers", "2", *LONG_DRAIN) as agent, await agent.connect() as client:
        await client.request(command=gate.before("echo", "uninterrupted"))
        await gate.until_waiting(1)
        workers = agent.workers
        for pid in (*workers, agent.pid, *workers):
            os.kill(pid, number)
        await eventually(lambda: logged_stops(agent) == 1)
        gate.open()
        assert (await client.result())["output"] == "uninterrupted\n"
        await close(client)
        assert await ended(agent) == 0
        assert logged_stops(agent) == 1
        assert "died" not in agent.log_text()
