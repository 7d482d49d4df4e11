"""Another local user: clients that run as that user, and agents that do."""

import asyncio
import os
import subprocess
import sys

import pytest

OTHER_USER = 54321
"""A uid without an account; a process needs no account to run as a uid."""

THIRD_USER = OTHER_USER + 1
"""Another uid without an account, for a user that is neither root nor the agent's."""


def becoming(user: int, *options: str) -> tuple[str, ...]:
    """Return the command that becomes this user, without additional groups, and executes the following arguments."""
    return ("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", *options)


AS_OTHER_USER = becoming(OTHER_USER, "--inh-caps=-all")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def skip_unless_user_can_run_agent(launcher: tuple[str, ...] = AS_OTHER_USER) -> None:
    """Skip if the user that `launcher` becomes cannot read the checkout or the interpreter."""
    command = (*launcher, sys.executable, "-c", "import execwire.app.cli")
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("another user cannot read this checkout or its interpreter")


async def run_as_other_user(script: str, *arguments: str) -> str:
    """Run a bash script as the other user, with `arguments` as $1 and so on; return its output."""
    process = await asyncio.create_subprocess_exec(
        *AS_OTHER_USER, "bash", "-c", script, "bash", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/",
    )  # fmt: skip
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return output.decode()


ASK = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3 && cat <&3'
"""Sends $2 to port $1 and prints the response until end-of-file."""
ASK_AND_READ_A_LINE = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3 && read -r line <&3 && echo "$line"'
SEND_AND_CLOSE = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3'
"""Sends $2 to port $1 and closes."""
