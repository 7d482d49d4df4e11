"""Programs that write packets (O_DIRECT, pipe(7)): a read that is shorter than the next packet loses the remainder."""

import sys
from collections.abc import Iterator

import pytest
from agent import Agent, Client, running_agent
from module_agent import module_agent

KIB = 1024
PACKETS = "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)\n"


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


def dd(size: int, count: int) -> list[str]:
    """Return a command that writes `count` packets of `size` bytes, and exits right after the last."""
    return ["dd", "if=/dev/zero", f"bs={size}", f"count={count}", "oflag=direct"]


async def lengths(client: Client, commands: list[list[str]]) -> list[int]:
    for command in commands:
        await client.request(command=command)
    results = [await client.result() for _ in commands]
    assert [(each["exit_code"], each["error"]) for each in results] == [(0, "")] * len(commands)
    return [len(each["output"]) for each in results]


# Output in memory, and in a file; packets of at most a page, and larger ones, which the kernel splits.
@pytest.mark.parametrize("total", [3 * KIB, 60_000, 2_000_000])
async def test_packets_of_any_size_arrive_complete(agent: Agent, total: int) -> None:
    sizes = [1000, *range(137, 5000, 1217), 4095, 4096, 4097, 70_001]
    async with await agent.connect() as client:
        arrived = await lengths(client, [dd(size, -(-total // size)) for size in sizes for _ in range(3)])
    assert arrived == [-(-total // size) * size for size in sizes for _ in range(3)]


@pytest.mark.parametrize("name", ["--max-output", "--max-spool"])
@pytest.mark.parametrize("limit", [300 * KIB + 123, 2_000_000])
async def test_output_limit_cuts_packets_at_exact_byte(name: str, limit: int) -> None:
    async with running_agent(name, str(limit)) as agent:
        for size, over in ((997, -1), (997, 0), (997, 1), (4096, 1), (3001, 100_000)):
            loop = f"while size: size -= os.write(1, b'x' * min(size, {size}))"
            script = f"{PACKETS}size = {limit + over}\n{loop}"
            result = await agent.run(sys.executable, "-c", script)
            expected = (-1, "output limit exceeded") if over > 0 else (0, "")
            assert (result["exit_code"], result["error"]) == expected, over
            assert len(result["output"]) == limit + min(over, 0), over


# Data before a packet reduces the space of a read, and a process may enlarge its pipe.
@pytest.mark.parametrize("before", [0, 300_000])
async def test_packets_after_stream_arrive_complete_at_any_pipe_size(agent: Agent, before: int) -> None:
    script = f"""
import fcntl, os
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
os.write(1, b'x' * {before})
for stream in (65000, 65535, 61441, 130000, 1):
    fcntl.fcntl(1, fcntl.F_SETFL, 0)
    os.write(1, b's' * stream)
    fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)
    for _ in range(9):
        os.write(1, b'p' * 4000)
"""
    results = [await agent.run(sys.executable, "-c", script) for _ in range(5)]
    expected = "".join("s" * stream + "p" * 36_000 for stream in (65000, 65535, 61441, 130_000, 1))
    assert [result["output"] == "x" * before + expected for result in results] == [True] * 5


async def test_packets_left_in_pipe_at_exit_are_all_read() -> None:
    async with running_agent("--linger-ms", "0") as agent:
        # A daemon holds the pipe open, so that there is no end-of-file.
        script = f"import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '5'])\n{PACKETS}"
        for count, before in ((16, 0), (15, 0), (16, 300_000)):
            result = await agent.run(
                sys.executable,
                "-c",
                f"{script}os.write(1, b'x' * {before})\nfor _ in range({count}): os.write(1, b'y' * 700)",
            )
            assert result["output"] == "x" * before + "y" * 700 * count
