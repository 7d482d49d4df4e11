"""Another local user: clients that are really his, and agents that run as him."""

import asyncio
import os
import subprocess
import sys

import pytest

OTHER_USER = 54321
"""A number that no user has; it takes no account to be somebody."""

THIRD = OTHER_USER + 1
"""Another number that no user has, for who is neither root nor whom the agent runs as."""


def becoming(user: int, *options: str) -> tuple[str, ...]:
    """Return the command that becomes this user, of no group but his own, and executes what follows."""
    return ("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", *options)


BECOME_STRANGER = becoming(OTHER_USER, "--inh-caps=-all")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def skip_unless_he_can_run_an_agent(launcher: tuple[str, ...] = BECOME_STRANGER) -> None:
    """Skip where the checkout or the interpreter lies in a folder that is not open to whom `launcher` becomes."""
    command = (*launcher, sys.executable, "-c", "import execwire.app.cli")
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("another user can not read this checkout or its interpreter")


async def run_as_other_user(script: str, *arguments: str) -> str:
    """Run a bash script as that user and return what it prints; it finds `arguments` as $1 and so on."""
    process = await asyncio.create_subprocess_exec(
        *BECOME_STRANGER, "bash", "-c", script, "bash", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/",
    )  # fmt: skip
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return output.decode()


ASK = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3 && cat <&3'
"""Sends $2 to port $1 and prints what comes back until the end."""
ASK_AND_READ_A_LINE = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3 && read -r line <&3 && echo "$line"'
WRITE_AND_GO = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3'
"""Sends $2 to port $1 and closes."""
