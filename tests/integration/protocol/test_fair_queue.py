"""Many requests of one client and one of another: in which order their tasks start."""

import asyncio
import time

from agent import running_agent

MANY = 600
REQUEST = b'{"command":["true"]}\n'


async def test_single_request_is_not_delayed_by_hundreds_of_other_client() -> None:
    async with running_agent() as agent, await agent.connect() as many, await agent.connect() as one:
        await one.ask(command=["true"])
        begin = time.monotonic()
        await many.send(REQUEST * MANY)
        # By then nearly all of them have been read.
        await many.result()
        asked = time.monotonic()
        await one.ask(command=["true"])
        waited = time.monotonic() - asked
        for _ in range(MANY - 1):
            await many.result()
        # In order of arrival it would have waited nearly the whole time.
        assert waited < (time.monotonic() - begin) / 3


async def test_clients_alternate_with_one_slot() -> None:
    async with (
        running_agent("--max-running", "1") as agent,
        await agent.connect() as many,
        await agent.connect() as one,
    ):
        await many.send(b'{"command":["sleep","0.05"]}\n' * 20)
        await many.result()
        await one.ask(command=["true"])
        # The single request has waited for the running task and for at most one more of the other client.
        begin = time.monotonic()
        remaining = [await asyncio.wait_for(many.result(), 30) for _ in range(19)]
        assert all(result["exit_code"] == 0 for result in remaining)
        assert time.monotonic() - begin > 0.05 * 10
