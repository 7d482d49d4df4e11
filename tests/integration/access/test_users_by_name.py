"""A user allowed by name whose name no longer exists when a worker is restarted."""

import json
import os
import signal
from pathlib import Path

from agent import running_agent
from other_user import ASK_AND_READ_A_LINE, OTHER_USER, only_root, run_as_other_user
from proc import eventually

NAMES = """
import os, pwd
real = pwd.getpwnam
def getpwnam(name):
    if name == "execwire-guest" and os.path.exists(os.environ["GUEST"]):
        return pwd.struct_passwd((name, "x", int(os.environ["GUEST_ID"]), 0, "", "/", "/bin/sh"))
    return real(name)
pwd.getpwnam = getpwnam
"""


@only_root
async def test_user_name_is_looked_up_once_and_never_by_worker(tmp_path: Path) -> None:
    guest = tmp_path / "guest"
    guest.touch()
    (tmp_path / "sitecustomize.py").write_text(NAMES)
    environment = {"PYTHONPATH": str(tmp_path), "GUEST": str(guest), "GUEST_ID": str(OTHER_USER)}
    async with running_agent("--allow-user", "execwire-guest", environment=environment) as agent:
        guest.unlink()
        first = agent.worker
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: agent.workers not in ([], [first]))
        request = json.dumps({"command": ["echo", "hi"]})
        answer = json.loads(await run_as_other_user(ASK_AND_READ_A_LINE, str(agent.port), request))
        assert (answer["output"], answer["error"]) == ("hi\n", "")
