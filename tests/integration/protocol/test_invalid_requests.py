import json
from collections.abc import Iterator

import pytest
from agent import Agent
from module_agent import module_agent

NESTED = 100_000


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    # A line may then carry an argument that is too long for execve(2).
    with module_agent("--max-line", "4MiB") as agent:
        yield agent


# Hazard 23.
@pytest.mark.parametrize(("line", "reason"), [
    (b'{"command":[]}', "$.command"),
    (b'{"command":[""]}', "$.command[0]"),
    (b'{"command":"ls"}', "$.command"),
    (b'{"command":[1]}', "$.command[0]"),
    (b'{"command":null}', "$.command"),
    (b"{}", "command"),
    (b"null", "Expected `object`"),
    (b"[]", "Expected `object`"),
    (b"5", "Expected `object`"),
    (b"-1", "Expected `object`"),
    (b'"5"', "Expected `object`"),
    (b"true", "Expected `object`"),
    (b"1e999", ""),
    (b"{", "truncated"),
    (b"nonsense", "malformed"),
    (b"[" * NESTED, ""),
    (b"[" * NESTED + b"]" * NESTED, ""),
    (b'{"pad":' + b"[" * NESTED + b"]" * NESTED + b',"command":["true"]}', ""),
    (b'{"pad":' + b'{"a":' * NESTED, ""),
    (b'{"command":["\xff"]}', ""),
    (b"\xff\xfe{\x00", ""),
    (b'{"command":["echo","\\u0000"]}', "$.command[1]"),
    (b'{"command":["echo","a\x00b"]}', ""),
    (b'{"command":["echo","\\ud800"]}', ""),
    (b'{"command":["true"],"timeout":1e999}', ""),
    (b'{"command":["true"],"timeout":-1}', "$.timeout"),
    (b'{"command":["true"],"timeout":"5"}', "$.timeout"),
    (b'{"command":["true"],"timeout":true}', "$.timeout"),
    (b'{"command":["true"],"timeout":NaN}', ""),
    (b'{"command":["true"],"timeout":[]}', "$.timeout"),
    (b'{"command":["true"]}{"command":["true"]}', ""),
], ids=lambda value: f"{value[:50]!r} {len(value)}")  # fmt: skip
async def test_invalid_request_gets_reason_and_next_line_works(agent: Agent, line: bytes, reason: str) -> None:
    async with await agent.connect() as client:
        await client.send(b'{"command":["true"]}\n' + line + b"\n" + b'{"command":["echo","next"]}\n')
        assert (await client.result())["exit_code"] == 0
        refused = await client.result()
        assert list(refused) == ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
        assert (refused["command"], refused["exit_code"], refused["output"]) == ([], -1, "")
        assert refused["error"].startswith("invalid request: ")
        assert len(refused["error"]) > len("invalid request: ")
        assert reason in refused["error"]
        assert (await client.result())["output"] == "next\n"


# Hazard 23.
@pytest.mark.parametrize(("length", "count"), [(2_000_000, 1), (200_000, 1), (100_000, 25)])
async def test_arguments_too_long_for_system_are_reported(agent: Agent, length: int, count: int) -> None:
    async with await agent.connect() as client:
        result = await client.ask(command=["echo", *["a" * length] * count])
        assert (result["exit_code"], result["output"]) == (-1, "")
        assert "Argument list too long" in result["error"]
        assert (await client.ask(command=["echo", "next"]))["output"] == "next\n"


# Hazard 23.
async def test_worker_survives_invalid_requests(agent: Agent) -> None:
    worker = agent.worker
    async with await agent.connect() as client:
        for line in (b'{"command":[]}', b"[" * NESTED, b"\x00\x01\x02", b'{"command":["\xff"]}'):
            await client.send(line + b"\n")
            assert (await client.result())["exit_code"] == -1
    assert agent.worker == worker
    assert "died" not in agent.log_text()


async def test_unknown_fields_are_ignored_and_last_duplicate_key_wins(agent: Agent) -> None:
    async with await agent.connect() as client:
        await client.send(b'{"command":[5],"later":{"a":[1]},"command":["echo","last"],"timeout":0}\n')
        assert (await client.result())["output"] == "last\n"
        await client.send(json.dumps({"command": ["echo", "null"], "timeout": None, "id": None}).encode() + b"\n")
        result = await client.result()
        assert (result["output"], "id" in result) == ("null\n", False)
