"""What a scan of this process's own children finds, kills and reaps."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Generator

import pytest
from adopting import MARK, adopt, reap
from proc import eventually, is_alive

from execwire.adapters.linux import procfs
from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import Survivors
from execwire.adapters.subprocess.containment import RESULT_AFTER_SECONDS, Containment


def scan(tree: ProcessTree) -> Survivors:
    survivors_by_mark: dict[int, Survivors] = {}
    for _ in tree.scan(frozenset({MARK}), survivors_by_mark):
        pass
    return survivors_by_mark.get(MARK, Survivors())


async def test_zombie_counts_as_seen_because_it_may_have_forked() -> None:
    # Hazard 6: in a chain of processes that fork and exit in turn, scans may find only zombies.
    pid = adopt("true")
    await eventually(lambda: not is_alive(pid))
    tree = ProcessTree()
    assert not scan(tree).clean
    assert scan(tree).clean
    with pytest.raises(ChildProcessError):
        reap(pid)


async def test_live_processes_are_killed_then_reaped_then_forgotten() -> None:
    pid = adopt("sleep", "600")
    tree = ProcessTree()
    assert scan(tree).found_alive == [pid]
    assert tree.has_children
    await eventually(lambda: not is_alive(pid))
    assert scan(tree).inconclusive
    assert scan(tree).clean
    assert not tree.has_children


async def test_tracked_child_is_killed_but_not_reaped() -> None:
    pid = adopt("sleep", "600")
    tree = ProcessTree()
    tree.add(pid, MARK)
    assert scan(tree).found_alive == [pid]
    await eventually(lambda: not is_alive(pid))
    assert scan(tree).clean
    assert reap(pid) == signal.SIGKILL
    del tree.leaders[pid]
    assert not tree.has_children


def test_processes_with_other_marks_are_not_killed() -> None:
    with subprocess.Popen(("sleep", "600")) as other:
        tree = ProcessTree()
        assert scan(tree).clean
        assert is_alive(other.pid)
        other.kill()


@contextlib.contextmanager
def no_free_descriptor() -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_scan_failure_does_not_count_as_absence() -> None:
    # Hazard 15.
    with no_free_descriptor():
        for read in (procfs.children, procfs.stat):
            with pytest.raises(OSError, match="Too many open files"):
                read(os.getpid())
        assert procfs.mark(os.getpid()) is not None


async def test_failed_scan_is_repeated_until_processes_are_killed() -> None:
    # Hazard 15.
    containment = Containment()
    pid = adopt("sleep", "600")
    with no_free_descriptor():
        assert await containment.kill(MARK) is False
    await eventually(lambda: not is_alive(pid), RESULT_AFTER_SECONDS)
    await containment.close()
    scan(ProcessTree())


async def test_spare_descriptors_allow_scan_when_no_descriptor_is_free() -> None:
    # Hazard 15.
    containment = Containment()
    pid = adopt("sleep", "600")
    taken: list[int] = []
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        assert await containment.kill(MARK) is True
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)
    assert not is_alive(pid)
    await containment.close()
