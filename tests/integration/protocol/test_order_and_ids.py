import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent
from gate import Gate, gate_in
from module_agent import module_agent
from proc import eventually

KEYS = ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
LINES = 20


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as gate:
        yield gate


async def test_pipelined_requests_run_in_parallel_with_results_in_order(agent: Agent, gate: Gate) -> None:
    async with await agent.connect() as client:
        for number in range(LINES):
            await client.request(command=gate.before("echo", str(number)))
        # All of them run although no result has been sent.
        await gate.until_waiting(LINES)
        await client.request(command=["echo", "last"])
        gate.open()
        outputs = [(await client.result())["output"] for _ in range(LINES + 1)]
        assert outputs == [*(f"{number}\n" for number in range(LINES)), "last\n"]


async def test_finished_result_waits_for_earlier_results(agent: Agent, gate: Gate, tmp_path: Path) -> None:
    done = tmp_path / "done"
    async with await agent.connect() as client:
        await client.request(command=gate.before("echo", "first"))
        await client.request(command=["touch", str(done)])
        await client.request(command=["echo", "under an id"], id="mark")
        # This result is sent before both, which shows that the second one is held back.
        assert (await client.result())["output"] == "under an id\n"
        await eventually(done.exists)
        assert (await client.ask(command=["true"], id="again"))["id"] == "again"
        gate.open()
        assert (await client.result())["output"] == "first\n"
        assert (await client.result())["command"] == ["touch", str(done)]


@pytest.mark.parametrize("request_id", ["a", "é🐌", "x" * 128, 0, -7, 2**63, 10**30], ids=str)
async def test_id_is_echoed_unchanged_as_seventh_key(agent: Agent, request_id: str | int) -> None:
    result = await agent.run("echo", "hi", id=request_id)
    assert list(result) == [*KEYS, "id"]
    assert (result["id"], type(result["id"]), result["output"]) == (request_id, type(request_id), "hi\n")


async def test_results_with_ids_are_sent_first_and_others_keep_their_order(agent: Agent, gate: Gate) -> None:
    async with await agent.connect() as client:
        await client.request(command=gate.before("echo", "slow"), id=1)
        await client.request(command=gate.before("echo", "in order"))
        await client.request(command=["echo", "fast"], id=2)
        assert (await client.result())["id"] == 2
        gate.open()
        remaining = [await client.result() for _ in range(2)]
        assert {result.get("id"): result["output"] for result in remaining} == {1: "slow\n", None: "in order\n"}


@pytest.mark.parametrize("wrong", ["", "x" * 129, 1.5, True, [], {}, "a\0b"], ids=repr)
async def test_unsupported_id_is_invalid(agent: Agent, wrong: object) -> None:
    async with await agent.connect() as client:
        result = await client.ask(command=["echo", "hi"], id=wrong)
        assert list(result) == KEYS
        assert (result["command"], result["exit_code"]) == ([], -1)
        assert result["error"].startswith("invalid request: ")
        assert "$.id" in result["error"]
        assert (await client.ask(command=["echo", "next"], id="x"))["output"] == "next\n"


async def test_duplicate_id_in_flight_is_rejected_per_connection_and_reusable_after_result(
    agent: Agent, gate: Gate
) -> None:
    async with await agent.connect() as client, await agent.connect() as other:
        await client.request(command=gate.before("echo", "first"), id="twice")
        refused = await client.ask(command=["echo", "second"], id="twice")
        # Without the id, since it would look like the result of the first request.
        assert list(refused) == KEYS
        assert (refused["command"], refused["exit_code"]) == ([], -1)
        assert refused["error"].startswith("invalid request: ")
        assert '"twice"' in refused["error"]
        assert (await other.ask(command=["echo", "other"], id="twice"))["output"] == "other\n"
        gate.open()
        assert (await client.result())["output"] == "first\n"
        assert (await client.ask(command=["echo", "again"], id="twice"))["output"] == "again\n"


async def test_invalid_request_gets_result_with_its_id(agent: Agent, gate: Gate) -> None:
    async with await agent.connect() as client:
        await client.request(command=gate.before("true"))
        refused = await client.ask(command=[], id="bad")
        assert (refused["id"], refused["command"], refused["exit_code"]) == ("bad", [], -1)
        gate.open()
        assert (await client.result())["exit_code"] == 0


async def test_many_connections_run_in_parallel(agent: Agent, gate: Gate) -> None:
    tasks = [asyncio.create_task(agent.run(*gate.before("echo", str(number)))) for number in range(LINES)]
    await gate.until_waiting(LINES)
    gate.open()
    assert [result["output"] for result in await asyncio.gather(*tasks)] == [f"{number}\n" for number in range(LINES)]


async def test_result_is_one_compact_line(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.request(command=["printf", "a\nb"])
        line = await client.reader.readuntil(b"\n")
        assert line.startswith(b'{"command":["printf","a\\nb"],"executed_at":')
        assert line.rstrip(b"\n") == json.dumps(json.loads(line), separators=(",", ":")).encode()
