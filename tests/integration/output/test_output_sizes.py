"""Hazard 20: output one byte below, at and above each limit, and each size at which its storage changes."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from proc import eventually

KIB = 1024
EXCEEDED = (-1, "output limit exceeded")
FILL = "head -c {} /dev/zero | tr '\\0' x"


def around(*sizes: int) -> list[int]:
    return [size + difference for size in sizes for difference in (-1, 0, 1)]


async def results_of(agent: Agent, sizes: Iterable[int]) -> list[tuple[int, dict[str, Any]]]:
    """Run a task for each output size, all at once; return the sizes with the results."""
    sizes = list(sizes)
    async with await agent.connect() as client:
        for size in sizes:
            await client.request(command=["sh", "-c", FILL.format(size)])
        return [(size, await client.result()) for size in sizes]


def is_complete(result: dict[str, Any], size: int) -> bool:
    return (result["exit_code"], result["error"], result["output"] == "x" * size) == (0, "", True)


async def test_output_is_exact_at_sizes_where_storage_changes() -> None:
    async with running_agent("--max-output", "0") as agent:
        for size, result in await results_of(
            agent, [0, 1, *around(4 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 1024 * KIB)]
        ):
            assert is_complete(result, size), size


# In memory; the maximum that one task keeps in memory; in a file, at a multiple of the copy size.
@pytest.mark.parametrize("limit", [1000, 256 * KIB, 2048 * KIB])
async def test_output_of_exactly_the_limit_is_allowed_and_one_more_byte_is_not(limit: int) -> None:
    async with running_agent("--max-output", str(limit)) as agent:
        for size, result in await results_of(agent, [0, *around(limit), 2 * limit]):
            if size <= limit:
                assert is_complete(result, size), size
            else:
                assert (result["exit_code"], result["error"]) == EXCEEDED
                assert result["output"] == "x" * limit
        # The limit is reached, not exceeded: the task continues and has its own exit status.
        result = await agent.run("sh", "-c", f"{FILL.format(limit)}; sleep 0.2; exit 3")
        assert (result["exit_code"], result["error"], len(result["output"])) == (3, "", limit)
        # The limit is exceeded by late output of a task that would not exit by itself.
        result = await agent.run("sh", "-c", f"{FILL.format(limit)}; sleep 0.2; echo; sleep 60")
        assert (result["exit_code"], result["error"], len(result["output"])) == (*EXCEEDED, limit)


async def test_output_beyond_memory_limit_is_spooled() -> None:
    async with running_agent("--max-held", "10000") as agent:
        for size, result in await results_of(agent, [100, 9999, 10_000, 10_001, 5000, 70_000, 300_000] * 5):
            assert is_complete(result, size), size


@pytest.fixture(scope="module")
def small_spool() -> Iterator[Agent]:
    with module_agent("--max-spool", "1MiB") as agent:
        yield agent


async def test_task_that_fills_spool_ends_and_its_space_is_released(small_spool: Agent) -> None:
    for _ in range(3):
        result = await small_spool.run("sh", "-c", FILL.format(3_000_000))
        assert (result["exit_code"], result["error"]) == EXCEEDED
        assert result["output"] == "x" * 1024 * KIB
        ((size, result),) = await results_of(small_spool, [1024 * KIB])
        assert is_complete(result, size)


async def test_spool_limit_is_shared_and_small_output_uses_none(
    small_spool: Agent,
) -> None:
    agent = small_spool
    async with await agent.connect() as client:
        await client.request(command=["sh", "-c", FILL.format(700_000) + "; sleep 60"])
        await eventually(lambda: spooled_bytes(agent.worker) == 700_000)
        other = await agent.run("sh", "-c", FILL.format(700_000))
        assert (other["exit_code"], other["error"]) == EXCEEDED
        assert is_complete({**other, "exit_code": 0, "error": ""}, 1024 * KIB - 700_000)
        assert is_complete(await agent.run("sh", "-c", FILL.format(1000)), 1000)
    # The first task's client has disconnected, and its spooled output is discarded.
    await eventually(lambda: spooled_bytes(agent.worker) == 0)
    assert is_complete(await agent.run("sh", "-c", FILL.format(700_000)), 700_000)


def spooled_bytes(worker: int) -> int:
    """Return the total size of the unlinked files that a process has open."""
    held = 0
    for entry in Path(f"/proc/{worker}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            held += entry.stat().st_size if "(deleted)" in str(entry.readlink()) else 0
    return held
