"""Agents in a user namespace with a given uid map."""

import os
import subprocess
import sys

import pytest

_ENTER = """
import ctypes, os, sys
user, uid_map = int(sys.argv[1]), sys.argv[2]
# Open the program while the process may still search all directories.
program = os.open(sys.argv[3], os.O_RDONLY)
leaving, entered = os.pipe()
outside = os.fork()
if outside == 0:
    # Still in the outer namespace, where root may write any map.
    os.close(entered)
    os.read(leaving, 1)
    for kind in ("uid", "gid"):
        if uid_map:
            with open(f"/proc/{os.getppid()}/{kind}_map", "w") as file:
                file.write(uid_map)
    os._exit(0)
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.write(entered, b".")
if os.waitpid(outside, 0)[1] != 0:
    sys.exit("the map could not be written")
if uid_map:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
os.execve(program, sys.argv[3:], os.environ)
"""


def in_user_namespace(user: int, uid_map: str) -> tuple[str, ...]:
    """Return the command that becomes `user` of a new user namespace and executes the following arguments.

    `uid_map` has the format of user_namespaces(7): uid inside, uid outside, count. Skips if that is impossible.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can write any map of a user namespace")
    command = (sys.executable, "-c", _ENTER, str(user), uid_map)
    run = subprocess.run((*command, sys.executable, "-c", "import execwire.app.cli"), check=False, capture_output=True)
    if run.returncode != 0:
        pytest.skip(f"no agent runs in a user namespace here: {run.stderr.decode()[-200:]}")
    return command
