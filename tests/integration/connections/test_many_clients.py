import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from agent import Agent, running_agent
from disconnects import reset
from module_agent import module_agent
from proc import descriptors, eventually
from proc_net import port_of, until_closed

MANY = 1000
LINE_SECONDS = 0.5


@pytest.fixture(scope="module", autouse=True)
def _raised_descriptor_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--line-seconds", str(LINE_SECONDS)) as agent:
        yield agent


@pytest.fixture
async def _nothing_leaks(agent: Agent) -> AsyncIterator[None]:
    async with await agent.connect() as client:
        assert (await client.ask(command=["true"]))["exit_code"] == 0
        before = len(descriptors(agent.worker))
        yield
        await eventually(lambda: len(descriptors(agent.worker)) <= before, 20.0)
        assert (await client.ask(command=["echo", "still"]))["output"] == "still\n"


# Hazard 27.
@pytest.mark.usefixtures("_nothing_leaks")
async def test_incomplete_line_is_rejected_after_timeout_and_connection_closed(agent: Agent) -> None:
    async with await agent.connect() as slow:
        slow.writer.write(b"{")
        answer = asyncio.create_task(slow.at_end())
        while not answer.done():
            # More bytes do not extend the timeout; meanwhile others are served.
            slow.writer.write(b"{")
            assert (await agent.run("echo", "others"))["output"] == "others\n"
        text = (await answer).decode()
        assert text.count("\n") == 1
        assert f"invalid request: The line was not completed within {LINE_SECONDS} s" in text
        assert '"exit_code":-1' in text


# Hazard 27.
async def test_idle_connection_between_lines_stays_open(agent: Agent) -> None:
    async with await agent.connect() as client:
        assert (await client.ask(command=["echo", "1"]))["output"] == "1\n"
        await client.request(command=["sleep", str(LINE_SECONDS + 0.5)])
        assert (await client.result())["exit_code"] == 0
        assert (await client.ask(command=["echo", "2"]))["output"] == "2\n"


# Hazard 27.
@pytest.mark.usefixtures("_nothing_leaks")
async def test_thousand_idle_clients_stay_connected_while_others_are_served(agent: Agent) -> None:
    async with AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(await agent.connect()) for _ in range(MANY)]
        assert (await agent.run("echo", "others", timeout=10_000))["output"] == "others\n"
        for client in (idle[0], idle[MANY // 2], idle[-1]):
            assert (await client.ask(command=["echo", "awake"]))["output"] == "awake\n"


# Hazard 27.
@pytest.mark.usefixtures("_nothing_leaks")
async def test_thousand_simultaneous_connects_and_disconnects_harm_no_client(agent: Agent) -> None:
    sockets = [socket.socket() for _ in range(MANY)]
    for number, connecting in enumerate(sockets):
        connecting.setblocking(False)  # noqa: FBT003 -- its only form
        connecting.connect_ex(("127.0.0.1", agent.port))
        if number % 2:
            connecting.close()
    for connecting in sockets:
        connecting.close()
    assert (await agent.run("echo", "others"))["output"] == "others\n"
    clients = await asyncio.gather(*(agent.connect() for _ in range(MANY)))
    for client in clients:
        client.writer.write(b'{"command"')
        reset(client)
    assert (await agent.run("echo", "others"))["output"] == "others\n"


async def test_client_over_limit_is_rejected_and_slot_is_reused_after_disconnect() -> None:
    async with running_agent("--max-connections", "2") as agent, await agent.connect() as first:
        assert (await first.ask(command=["echo", "1"]))["output"] == "1\n"
        async with await agent.connect() as second:
            assert (await second.ask(command=["echo", "2"]))["output"] == "2\n"
            async with await agent.connect() as third:
                ports = [port_of(second), port_of(third)]
                refused = await third.result()
                assert list(refused) == ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
                assert (refused["command"], refused["exit_code"]) == ([], -1)
                assert refused["error"].startswith("refused: all 2 connections are in use")
                assert "--max-connections" in refused["error"]
                assert await third.at_end() == b""
            assert (await second.ask(command=["echo", "still"]))["output"] == "still\n"
        for port in ports:
            await until_closed(agent, port)
        assert (await agent.run("echo", "in"))["output"] == "in\n"
        assert (await first.ask(command=["echo", "still"]))["output"] == "still\n"
