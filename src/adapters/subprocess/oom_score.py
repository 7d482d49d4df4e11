"""Whom the kernel kills first when memory has run out: tasks rather than the agent, if an operator wants that.

See oom_score_adj in proc(5): what is higher goes first; raising it needs no privilege, and children inherit it.
"""

import os
from pathlib import Path

import structlog

from ..linux import procfs

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

MAX_YOUNG = 64
"""Processes of one task that are looked after; there are more only where one forks on in its first microseconds."""


def score_for_tasks(wanted: int) -> int:
    """Return what tasks are to be raised to, 0 for not at all: where the agent itself stands as high, they stay."""
    own = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii")) if wanted else 0
    if wanted and own >= wanted:
        _log.warning("task_oom_score_adj is not above the agent's own: tasks keep that", wanted=wanted, own=own)
        return 0
    return wanted


def raise_oom_score(pid: int, score: int) -> None:
    """Have the kernel take this process, and what it has started by now, before others.

    What cannot be raised stays as it is: what has ended, or runs as somebody else by now, such as sudo(8).
    """
    young = [pid]
    for each in young:
        if _write(each, str(score).encode()) and len(young) < MAX_YOUNG:
            # A child from before it inherited the score.
            young += procfs.children(each)


def _write(pid: int, score: bytes) -> bool:
    try:
        descriptor = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, score)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
