"""Hazard 33: a user namespace shows every user that is not mapped into it as one uid, 65534."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from agent import running_agent
from other_user import ASK_AND_READ_A_LINE, OTHER_USER, run_as_other_user
from user_namespaces import in_user_namespace

OVERFLOW_UID = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
AS_ROOT_INSIDE = (0, f"0 {OTHER_USER} 1")
AS_NOBODY_INSIDE = (OVERFLOW_UID, f"{OVERFLOW_UID} {OTHER_USER} 1")
NO_MAP = (OVERFLOW_UID, "")
ECHO = json.dumps({"command": ["echo", "hi"]})


async def test_only_mapped_users_are_identified_and_overflow_uid_is_not_suggested() -> None:
    async with running_agent(launcher=in_user_namespace(*AS_ROOT_INSIDE)) as agent:
        # That user is the agent's own; root, the user of this process, is not mapped.
        answer = json.loads(await run_as_other_user(ASK_AND_READ_A_LINE, str(agent.port), ECHO))
        assert (answer["output"], answer["error"]) == ("hi\n", "")
        refused = (await agent.run("echo", "hi"))["error"]
        assert "not mapped into the agent's user namespace" in refused
        assert str(OVERFLOW_UID) not in refused


@pytest.mark.parametrize(
    ("inside", "options", "words"),
    [
        (
            AS_ROOT_INSIDE,
            ["--allow-user", str(OVERFLOW_UID)],
            f"--allow-user {OVERFLOW_UID}: {OVERFLOW_UID} stands for every user",
        ),
        (AS_NOBODY_INSIDE, [], f"own user, {OVERFLOW_UID}, stands for every user"),
        (AS_NOBODY_INSIDE, ["--allow-user", "0"], f"own user, {OVERFLOW_UID}, stands for every user"),
        (NO_MAP, [], f"own user, {OVERFLOW_UID}, stands for every user"),
    ],
)
def test_agent_that_would_accept_every_unmapped_user_does_not_start(
    inside: tuple[int, str], options: list[str], words: str
) -> None:
    command = (*in_user_namespace(*inside), sys.executable, "-m", "execwire", "serve", "--port", "0", *options)
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert words in run.stderr


async def test_agent_with_any_uid_serves_where_all_users_are_allowed() -> None:
    async with running_agent("--allow-user", "*", launcher=in_user_namespace(*AS_NOBODY_INSIDE)) as agent:
        assert (await agent.run("echo", "hi"))["output"] == "hi\n"
