"""Reaching a limit logs one line that names the setting, and afterwards only a count."""

from agent import Agent, running_agent
from proc import eventually
from proc_net import until_read


def lines_with(agent: Agent, words: str) -> list[str]:
    return [line for line in agent.log_text().splitlines() if words in line]


async def test_full_queue_is_logged_once_with_its_settings() -> None:
    async with running_agent("--max-running", "1", "--max-queued", "1") as agent, await agent.connect() as client:
        for number in range(2):
            await client.request(command=["sleep", "1"], id=number)
            await until_read(agent, client)
        await client.request(command=["true"], id=2)
        await eventually(lambda: lines_with(agent, "the queue is full") != [])
        for _ in range(3):
            await client.result()
        (line,) = lines_with(agent, "the queue is full")
        assert "--max-running and --max-queued" in line


async def test_full_spool_is_logged_once_with_its_setting() -> None:
    async with running_agent("--max-spool", "1MiB", "--max-memory", "1MiB") as agent:
        for _ in range(2):
            result = await agent.run("head", "-c", "3000000", "/dev/zero")
            assert result["error"] == "output limit exceeded"
        (line,) = lines_with(agent, "the spool is full")
        assert "--max-spool" in line


async def test_task_at_its_output_limit_is_not_logged_as_full_spool() -> None:
    async with running_agent("--max-output", "1MiB") as agent:
        assert (await agent.run("head", "-c", "3000000", "/dev/zero"))["error"] == "output limit exceeded"
        assert lines_with(agent, "the spool is full") == []
