"""A program that is slow to start delays neither other clients nor its own timeout, and is not run after that."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from fuse import needs_fuse, slow_file_system
from leases import leased, skip_unless_leases_hold
from module_agent import module_agent
from proc import children, descriptors, eventually, settled_descriptors
from programs import made

LATE_SECONDS = 0.5
"""Generous, for a busy machine; whatever blocks the event loop here does so for seconds."""


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


@pytest.fixture
async def other(agent: Agent) -> AsyncIterator[Client]:
    """Another client, whose program is known to the agent as quick to start."""
    async with await agent.connect() as client:
        await client.ask(command=["sleep", "0"])
        yield client


@pytest.fixture
def program(tmp_path: Path) -> str:
    skip_unless_leases_hold(tmp_path)
    return shutil.copy("/bin/sleep", str(tmp_path / "program"))


async def assert_punctual(client: Client) -> None:
    """Check that a task of this client times out at its deadline."""
    began = time.monotonic()
    result = await client.ask(command=["sleep", "60"], timeout=100)
    assert result["error"] == "timeout exceeded"
    assert time.monotonic() - began < 0.1 + LATE_SECONDS


async def assert_times_out_beside(agent: Agent, other: Client, *command: str) -> None:
    """Check that a command that is still starting ends at its timeout, and that another client is not delayed."""
    async with await agent.connect() as client:
        began = time.monotonic()
        await client.request(command=list(command), timeout=400)
        for _ in range(3):
            await assert_punctual(other)
        result = await client.result()
        assert time.monotonic() - began < 0.4 + LATE_SECONDS
    assert (result["exit_code"], result["error"], result["output"]) == (-1, "timeout exceeded", "")
    assert 400 <= result["duration_ms"] < (0.4 + LATE_SECONDS) * 1000


async def test_slow_start_of_new_program_meets_timeout(agent: Agent, other: Client, program: str) -> None:
    with leased(program):
        await assert_times_out_beside(agent, other, program, "0")
    assert (await agent.run(program, "0"))["exit_code"] == 0


async def test_slow_start_of_known_program_meets_timeout(agent: Agent, other: Client, program: str) -> None:
    for _ in range(2):
        assert (await agent.run(program, "0"))["exit_code"] == 0
    with leased(program):
        await assert_times_out_beside(agent, other, program, "0")


async def test_slow_start_of_interpreter_meets_timeout(agent: Agent, other: Client, tmp_path: Path) -> None:
    skip_unless_leases_hold(tmp_path)
    interpreter = shutil.copy("/bin/sh", str(tmp_path / "interpreter"))
    script = made(tmp_path / "script", f"#!{interpreter}\necho hi\n")
    with leased(interpreter):
        await assert_times_out_beside(agent, other, script)
    for _ in range(2):
        assert (await agent.run(script))["output"] == "hi\n"
    with leased(interpreter):
        await assert_times_out_beside(agent, other, script)


async def test_slow_start_without_timeout_is_awaited_and_runs(agent: Agent, other: Client, program: str) -> None:
    async with await agent.connect() as client:
        with leased(program):
            await client.request(command=[program, "0"])
            await assert_punctual(other)
        result = await client.result()
    assert (result["exit_code"], result["error"]) == (0, "")
    assert result["duration_ms"] >= 100


async def test_disconnect_cancels_slow_start_and_leaves_nothing(agent: Agent, program: str) -> None:
    assert (await agent.run("true"))["exit_code"] == 0
    before = await settled_descriptors(agent.worker)
    with leased(program):
        async with await agent.connect() as client:
            await client.request(command=[program, "0"])
            await eventually(lambda: children(agent.worker) != [])
        await eventually(lambda: children(agent.worker) == [])
    await eventually(lambda: len(descriptors(agent.worker)) <= len(before))


async def test_shutdown_cancels_slow_start(program: str) -> None:
    async with running_agent("--drain-seconds", "0.2") as agent, await agent.connect() as client:
        with leased(program):
            await client.request(command=[program, "0"])
            await eventually(lambda: children(agent.worker) != [])
            began = time.monotonic()
            stopped = asyncio.create_task(agent.stop())
            assert "stopping" in (await client.result())["error"]
            assert await stopped == 0
            assert time.monotonic() - began < 4


@needs_fuse
async def test_unresponsive_file_system_does_not_delay_timeout(agent: Agent, other: Client, tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    script = made(tmp_path / "script", f"#!{tmp_path / 'slow' / 'tool'}\n")
    with slow_file_system(tmp_path / "slow", Path("/bin/true").read_bytes(), 1.0) as tool:
        for command in (str(tool), script):
            await assert_times_out_beside(agent, other, command)
        result = await agent.run(str(tool))
        assert (result["exit_code"], result["error"]) == (0, "")
        assert result["duration_ms"] >= 1000
    await eventually(lambda: children(agent.worker) == [])


@needs_fuse
async def test_unresponsive_directory_in_path_variable_does_not_delay_timeout(tmp_path: Path) -> None:
    with slow_file_system(tmp_path, b"", 1.0):
        path = f"/usr/local/bin:{tmp_path}:/usr/bin:/bin"
        async with running_agent(environment={"PATH": path}) as agent, await agent.connect() as other:
            for _ in range(2):
                assert (await other.ask(command=["/bin/sleep", "0"]))["exit_code"] == 0
            async with await agent.connect() as client:
                began = time.monotonic()
                await client.request(command=["true"], timeout=400)
                assert (await other.ask(command=["/bin/sleep", "60"], timeout=100))["error"] == "timeout exceeded"
                assert time.monotonic() - began < 0.1 + LATE_SECONDS
                assert (await client.result())["error"] == "timeout exceeded"
                assert time.monotonic() - began < 0.4 + LATE_SECONDS
            assert (await other.ask(command=["true"]))["exit_code"] == 0
