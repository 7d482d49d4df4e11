"""Memory allocated under load is returned to the system while a long task runs."""

from agent import running_agent
from proc import eventually, memory_kib

MIB = 1024


async def test_memory_is_released_while_long_task_runs() -> None:
    async with running_agent() as agent, await agent.connect() as long:
        await long.request(command=["sleep", "600"])
        await agent.run("true")
        before = memory_kib(agent.worker)
        async with await agent.connect() as client:
            # The first result delays all others, which hold their output meanwhile.
            await client.request(command=["sleep", "1.5"])
            for _ in range(150):
                await client.request(command=["head", "-c", "200000", "/dev/zero"])
            for _ in range(151):
                await client.result()
        assert memory_kib(agent.worker, "VmHWM") - before > 20 * MIB
        await eventually(lambda: memory_kib(agent.worker) - before < 3 * MIB, 20)
