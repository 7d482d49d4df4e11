"""Children of this process that carry a mark but are not tracked: a ProcessTree treats them as adopted."""

import os
import resource

from execwire.adapters.linux.procfs import RLIMIT_LOCKS

MARK = 4711


def adopt(*command: str) -> int:
    """Start a child that carries MARK."""
    before = resource.getrlimit(RLIMIT_LOCKS)
    resource.setrlimit(RLIMIT_LOCKS, (MARK, before[1]))
    try:
        return os.posix_spawnp(command[0], command, os.environ, setsigmask=())
    finally:
        resource.setrlimit(RLIMIT_LOCKS, before)


def reap(pid: int) -> int:
    """Wait for a child and return its wait status."""
    return os.waitpid(pid, 0)[1]
