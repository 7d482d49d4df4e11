"""Timeouts: their formats, what they cover, and that no process outlives one."""

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from agent import Agent
from module_agent import module_agent
from proc import alive_with

EXCEEDED = (-1, "timeout exceeded")
FOR_EVER = 'exec -a "$0" sleep 60'

STUBBORN = {
    "ignores SIGTERM": f"trap '' TERM INT HUP QUIT; echo ready; {FOR_EVER}",
    "catches SIGTERM": 'trap : TERM; echo ready; while :; do (exec -a "$0" sleep 0.05); done',
    "a stopped child": f"({FOR_EVER}) & kill -STOP $!; echo ready; wait",
    "stops itself": f"echo ready; kill -STOP $$; {FOR_EVER}",
    "a child in its own group": f"set -m; ({FOR_EVER}) & echo ready; {FOR_EVER}",
    "a stopped child in its own session": (
        f'setsid bash -c \'trap "" TERM; {FOR_EVER}\' "$0" & echo ready; kill -STOP $!; {FOR_EVER}'
    ),
}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


@pytest.mark.parametrize("timeout_ms", [200, 200.5, 2e2])
async def test_timeout_is_integer_or_decimal_milliseconds(agent: Agent, timeout_ms: float) -> None:
    began = time.monotonic()
    result = await agent.run("sleep", "60", timeout=timeout_ms)
    elapsed_ms = (time.monotonic() - began) * 1000
    assert (result["exit_code"], result["error"]) == EXCEEDED
    # asyncio's timers may expire a millisecond early.
    assert timeout_ms - 2 <= result["duration_ms"] <= elapsed_ms < 20_000


@pytest.mark.parametrize("timeout_ms", [0, 0.0, -0.0, None, 1e300, 10**9])
async def test_task_with_no_or_distant_timeout_finishes(agent: Agent, timeout_ms: float | None) -> None:
    result = await agent.run("sh", "-c", "sleep 0.1; echo done", timeout=timeout_ms)
    assert (result["exit_code"], result["output"], result["error"]) == (0, "done\n", "")


async def test_timeout_too_short_for_any_program_is_exceeded(agent: Agent) -> None:
    result = await agent.run("sleep", "60", timeout=0.001)
    assert (result["exit_code"], result["error"]) == EXCEEDED


async def test_result_does_not_wait_for_timeout(agent: Agent) -> None:
    began = time.monotonic()
    result = await agent.run("echo", "hi", timeout=60_000)
    assert (result["exit_code"], result["output"]) == (0, "hi\n")
    assert time.monotonic() - began < 20


# Hazard 18: output small enough for memory, more than that, and output in a spool file.
async def test_output_before_timeout_is_kept(agent: Agent) -> None:
    counts = (5, 200_000, 1_000_000)
    scripts = [f"head -c {count} /dev/zero | tr '\\0' x; sleep 60" for count in counts]
    results = await asyncio.gather(*(agent.run("sh", "-c", script, timeout=1500) for script in scripts))
    for count, result in zip(counts, results, strict=True):
        assert (result["exit_code"], result["error"]) == EXCEEDED
        assert result["output"] == "x" * count


# Hazard 10.
async def test_processes_end_at_timeout_whatever_signals_and_groups_they_use(agent: Agent) -> None:
    marker = f"execwire-test-{uuid4().hex}"
    results = await asyncio.gather(
        *(agent.run("bash", "-c", script, marker, timeout=1500) for script in STUBBORN.values())
    )
    assert alive_with(marker) == []
    for name, result in zip(STUBBORN, results, strict=True):
        assert (name, result["exit_code"], result["error"], result["output"]) == (name, *EXCEEDED, "ready\n")


async def test_timeout_at_moment_of_exit_reports_exactly_one_outcome(agent: Agent) -> None:
    # From far too short to long enough for the same command.
    timeouts = [tenths / 10 for tenths in range(1, 200, 4)]
    results = await asyncio.gather(*(agent.run("sh", "-c", "echo hi", timeout=timeout) for timeout in timeouts))
    for result in results:
        if result["error"]:
            assert (result["exit_code"], result["error"]) == EXCEEDED
            assert result["output"] in ("", "hi\n")
        else:
            assert (result["exit_code"], result["output"]) == (0, "hi\n")
