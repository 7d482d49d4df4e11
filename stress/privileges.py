"""Sets up another user and a small disk for the agent, as faults require; reports what is not possible."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .faults import (
    ENOUGH,
    Fault,
    clients_killed,
    clients_stopped,
    few_descriptors,
    few_processes,
    full_disk,
    little_memory,
    worker_killed,
    worker_killed_and_none_to_be_had,
    worker_stopped,
)
from .runner import say

NOBODY = "65534"
# With equal limits the agent does not change the limit around a spawn, which would undo the fault.
_LIMIT = ("prlimit", f"--nofile={ENOUGH}:{ENOUGH}")
# The interpreter may be in a folder that only root can read.
_OTHER_USER = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
_SMALL_DISK = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=64m,mode=1777 none "$0" && exec "$@"')


@dataclass(frozen=True, slots=True)
class Stage:
    """The launcher of the agent, the prefix of commands that run as its user, and the possible faults."""

    launcher: tuple[str, ...]
    as_its_user: tuple[str, ...]
    faults: list[Fault]


def set_up(spool_dir: Path) -> Stage:
    """Find out what is possible on this system."""
    faults: list[Fault] = [
        worker_killed,
        worker_killed_and_none_to_be_had,
        worker_stopped,
        clients_stopped,
        clients_killed,
        few_descriptors,
        little_memory,
    ]
    words: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    disk = (*_SMALL_DISK, str(spool_dir))
    if _works(*disk, "true"):
        words += disk
        faults.append(full_disk)
    else:
        say("chaos: skipped: a full disk, which needs root and mount namespaces")
    if os.geteuid() != 0:
        faults.append(few_processes)
    elif _works(*_OTHER_USER, *_LIMIT, sys.executable, "-c", "import execwire.app.cli"):
        # RLIMIT_NPROC does not apply to root.
        user = _OTHER_USER
        faults.append(few_processes)
    else:
        say("chaos: skipped: no processes, since root has no such limit and no other user can run the agent from here")
    return Stage((*words, *user, *_LIMIT), user, faults)


def _works(*command: str) -> bool:
    try:
        return (
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False
