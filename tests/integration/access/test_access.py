import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Agent, Client, running_agent
from module_agent import module_agent
from other_user import (
    AS_OTHER_USER,
    ASK,
    ASK_AND_READ_A_LINE,
    OTHER_USER,
    SEND_AND_CLOSE,
    only_root,
    run_as_other_user,
    skip_unless_user_can_run_agent,
)

pytestmark = only_root


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


def touching(trace: Path) -> str:
    return json.dumps({"command": ["touch", str(trace)]})


async def check_served(agent: Agent) -> None:
    assert (await agent.run("echo", "own"))["output"] == "own\n"


# Hazard 33.
async def test_other_user_is_rejected_and_told_how_to_get_access(agent: Agent, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    answer = json.loads(await run_as_other_user(ASK, str(agent.port), touching(trace)))
    assert list(answer) == ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
    assert (answer["command"], answer["exit_code"], answer["output"]) == ([], -1, "")
    assert answer["error"].startswith(f"refused: user {OTHER_USER} may not send requests here")
    assert f"--allow-user {OTHER_USER}" in answer["error"]
    await check_served(agent)
    assert not trace.exists()


# Hazard 33.
async def test_request_of_client_that_closes_before_its_user_is_known_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    async with running_agent() as agent:
        worker = agent.worker
        # The agent accepts the client only after it has closed; by then the kernel knows no owner of its socket.
        os.kill(worker, signal.SIGSTOP)
        try:
            for _ in range(3):
                assert await run_as_other_user(SEND_AND_CLOSE, str(agent.port), touching(trace)) == ""
        finally:
            os.kill(worker, signal.SIGCONT)
        await check_served(agent)
        await agent.stop()
        assert refusals(agent) == 3
        assert not trace.exists()


async def test_two_hundred_rejections_log_few_lines_and_port_probes_none() -> None:
    probes = 'for _ in {1..200}; do exec 3<>"/dev/tcp/127.0.0.1/$1" && exec 3>&-; done'
    requests = 'for _ in {1..200}; do exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "{}" >&3 && exec 3>&-; done'
    async with running_agent() as agent:
        assert await run_as_other_user(probes, str(agent.port)) == ""
        await check_served(agent)
        assert refusals(agent) == 0
        assert await run_as_other_user(requests, str(agent.port)) == ""
        await check_served(agent)
        await agent.stop()
        assert refusals(agent) == 200
        assert agent.log_text().count("client refused") < 20


def refusals(agent: Agent) -> int:
    """Return how many rejections the log reports, suppressed ones included."""
    lines = [json.loads(line) for line in agent.log_text().splitlines()]
    return sum(1 + line.get("suppressed", 0) for line in lines if line["event"] == "client refused")


# Hazard 33.
@pytest.mark.parametrize("allowed", [str(OTHER_USER), "*"])
async def test_other_user_is_accepted_by_number_or_when_all_users_are_allowed(allowed: str) -> None:
    async with running_agent("--allow-user", allowed) as agent:
        request = json.dumps({"command": ["echo", "hi"]})
        answer = json.loads(await run_as_other_user(ASK_AND_READ_A_LINE, str(agent.port), request))
        assert (answer["output"], answer["error"]) == ("hi\n", "")
        await check_served(agent)


# Hazard 33.
async def test_agent_of_other_user_accepts_that_user_and_root_if_configured() -> None:
    skip_unless_user_can_run_agent()
    async with running_agent(launcher=AS_OTHER_USER) as agent:
        refused = await agent.run("id", "-u")
        assert refused["exit_code"] == -1
        assert "--allow-user root" in refused["error"]
        request = json.dumps({"command": ["id", "-u"]})
        answer = json.loads(await run_as_other_user(ASK_AND_READ_A_LINE, str(agent.port), request))
        assert (answer["output"], answer["error"]) == (f"{OTHER_USER}\n", "")
        assert await agent.stop() == 0
    async with running_agent("--allow-user", "root", launcher=AS_OTHER_USER) as agent:
        assert (await agent.run("id", "-u"))["output"] == f"{OTHER_USER}\n"


# Hazard 33.
async def test_unix_socket_of_agent_of_other_user_accepts_root() -> None:
    skip_unless_user_can_run_agent()
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, OTHER_USER, OTHER_USER)
        path = Path(folder) / "execwire.sock"
        async with (
            running_agent("--unix", str(path), launcher=AS_OTHER_USER),
            Client(*await asyncio.open_unix_connection(path)) as client,
        ):
            assert (await client.ask(command=["id", "-u"]))["output"] == f"{OTHER_USER}\n"
