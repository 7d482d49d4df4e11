"""Hazard 8: no pid is signalled after it was reaped, since it may have been reused by another process.

The interpreter reports each kill(2) and killpg(2) to an audit hook (PEP 578) before the call. The target must then
still be a child of this process, possibly a zombie: no other process can have that pid. A signal sent through a pidfd
cannot reach another process.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator

import executor_drivers
import pytest
from proc import is_alive

from execwire.adapters.clock import SystemClock
from execwire.adapters.linux.procfs import stat
from execwire.adapters.subprocess.child_process import ChildProcess
from execwire.domain.task import TaskRequest

Signalled = list[tuple[int, bool]]
"""The pid to which each signal was sent, and whether it was a child of this process at that moment."""

_records: list[Signalled] = []


def _record(event: str, arguments: tuple[object, ...]) -> None:
    # Signal 0 only tests whether the process exists.
    if _records and event in ("os.kill", "os.killpg") and arguments[1] != 0:
        pid = arguments[0]
        assert isinstance(pid, int)
        _records[-1].append((pid, (seen := stat(pid)) is not None and seen.parent == os.getpid()))


sys.addaudithook(_record)


@pytest.fixture
def signalled() -> Iterator[Signalled]:
    record: Signalled = []
    _records.append(record)
    yield record
    _records.remove(record)


def spawned() -> int:
    return os.posix_spawn("/bin/true", ["true"], {}, setsid=True)


def test_leader_is_signalled_as_zombie_and_never_after_reaping(signalled: Signalled) -> None:
    leader = ChildProcess(spawned(), SystemClock())
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(leader.pid)
    leader.signal_group(signal.SIGKILL)
    assert signalled == [(leader.pid, True)]
    leader.reap()
    assert leader.exit_code == 0
    leader.signal_group(signal.SIGKILL)
    assert signalled == [(leader.pid, True)]


def test_audit_record_shows_signal_to_reaped_pid(signalled: Signalled) -> None:
    pid = spawned()
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    assert signalled == [(pid, False)]


async def test_only_children_are_signalled_however_tasks_end(signalled: Signalled) -> None:
    source = random.Random(8)  # noqa: S311 -- reproducible
    scripts = ("exit 0", "sleep 0.005", "sleep 1 & exit 0", "exec >&-; sleep 0.01", "setsid -f sleep 0.1", "sleep 60")
    async with executor_drivers.real() as driver:
        # The first start of a program takes longer than most of these timeouts.
        await driver.executor.execute(TaskRequest(("sh", "-c", "exit 0")))
        for _ in range(15):
            tasks = [
                asyncio.create_task(
                    driver.executor.execute(TaskRequest(("sh", "-c", source.choice(scripts)), source.uniform(0.5, 60)))
                )
                for _ in range(12)
            ]
            # Some are cancelled, most exit or reach their timeout.
            for task in tasks[::4]:
                await asyncio.sleep(source.uniform(0, 0.003))
                task.cancel()
            for execution in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(execution, BaseException):
                    execution.output.close()
    assert len(signalled) >= 50
    assert [pid for pid, is_child in signalled if not is_child] == []
