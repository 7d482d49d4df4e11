"""The protocol's table of outcomes, each row with a real process."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator

import pytest
from agent import Agent
from module_agent import module_agent

KEYS = ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
HARMLESS = {"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "WINCH"}
"""Signals whose default action does not terminate a process (signal(7))."""
FATAL = [number for number in signal.Signals if number.name[3:] not in HARMLESS and number < signal.SIGRTMIN]


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


async def test_result_is_one_compact_line_with_six_ordered_keys(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.request(command=["printf", "a b"])
        line = await client.reader.readuntil(b"\n")
    result = json.loads(line)
    assert list(result) == KEYS
    assert json.dumps(result, separators=(",", ":")).encode() + b"\n" == line
    assert isinstance(result["executed_at"], int)
    assert isinstance(result["duration_ms"], float)


async def test_id_is_echoed_as_seventh_key(agent: Agent) -> None:
    for request_id in ("some name", 7):
        result = await agent.run("true", id=request_id)
        assert list(result) == [*KEYS, "id"]
        assert result["id"] == request_id


async def test_every_exit_status_is_reported_unchanged(agent: Agent) -> None:
    async with await agent.connect() as client:
        for status in range(256):
            await client.request(command=["sh", "-c", f"exit {status}"])
        results = [await client.result() for _ in range(256)]
    assert [result["exit_code"] for result in results] == list(range(256))
    assert {result["error"] for result in results} == {""}


async def test_fatal_signal_is_128_plus_its_number_and_named(agent: Agent) -> None:
    async with await agent.connect() as client:
        for number in FATAL:
            await client.request(command=["sh", "-c", f"ulimit -c 0; printf text; kill -{number} $$"])
        results = [await client.result() for _ in FATAL]
    for number, result in zip(FATAL, results, strict=True):
        assert result["exit_code"] == 128 + number
        assert result["error"] == f"terminated by signal {number.name}"
        assert result["output"] == "text"


@pytest.mark.parametrize(
    ("number", "name"), [(34, "SIGRTMIN"), (35, "SIGRTMIN+1"), (63, "SIGRTMIN+29"), (64, "SIGRTMAX")]
)
async def test_real_time_signals_are_named(agent: Agent, number: int, name: str) -> None:
    result = await agent.run("sh", "-c", f"kill -{number} $$")
    assert (result["exit_code"], result["error"]) == (128 + number, f"terminated by signal {name}")


async def test_exit_status_above_128_is_not_reported_as_signal(agent: Agent) -> None:
    # A shell reports its child's signal as such a status; the command itself exited.
    result = await agent.run("sh", "-c", "sh -c 'kill -SEGV $$'; exit $?")
    assert (result["exit_code"], result["error"]) == (139, "")


async def test_times_are_those_of_execution(agent: Agent) -> None:
    before = int(time.time())
    results = await asyncio.gather(agent.run("true"), agent.run("sleep", "0.3"))
    after = time.time()
    for result in results:
        assert before <= result["executed_at"] <= after
        assert result["duration_ms"] == round(result["duration_ms"], 3)
        assert 0 < result["duration_ms"] <= (after - before) * 1000
    assert results[1]["duration_ms"] >= 300


async def test_command_is_echoed_unchanged(agent: Agent) -> None:
    command = ["printf", "%s", "", 'ü "\\\n\t\u2028\U0001f600', "-1", " "]
    result = await agent.run(*command)
    assert result["command"] == command
    assert result["output"] == "".join(command[2:])
