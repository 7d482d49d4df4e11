"""Raises the OOM score of tasks, so that the kernel kills them before the agent when memory has run out.

See oom_score_adj in proc(5): the kernel kills the highest score first; raising it needs no privilege, and children
inherit it.
"""

import os
from pathlib import Path

import structlog

from ..linux import procfs

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

MAX_YOUNG = 64
"""Processes of one task whose score is raised; a task has more only if it forks often in its first microseconds."""


def score_for_tasks(wanted: int) -> int:
    """Return the score that tasks are raised to; 0 to leave theirs, also if the agent's own is as high already."""
    own = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii")) if wanted else 0
    if wanted and own >= wanted:
        _log.warning("task_oom_score_adj is not above the agent's own: tasks keep that", wanted=wanted, own=own)
        return 0
    return wanted


def raise_oom_score(pid: int, score: int) -> None:
    """Raise the score of a process and of the children that it has by now.

    The score stays as it is where a process has ended, or runs as another user by now, such as sudo(8).
    """
    young = [pid]
    for each in young:
        if _write(each, str(score).encode()) and len(young) < MAX_YOUNG:
            # Children that were forked before the write have the old score.
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
