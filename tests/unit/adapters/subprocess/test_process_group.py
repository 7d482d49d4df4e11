"""Remaining group members when the leader has ended by itself and no process holds its stdout any more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from event_loop import past
from proc import eventually
from process_harness import LONG, Running, finished

from execwire.adapters.subprocess import child_process
from execwire.adapters.subprocess.context import Leftovers
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import Cancelled, Execution, Exited

REAPED = ["reap", "release", "ask group"]


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    running = Running(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "os", running.kernel)
        yield running
    running.close()


def end_leader(running: Running, process: Process) -> asyncio.Task[Execution]:
    running.exit(told=False)
    running.hang_up()
    return asyncio.create_task(finished(process))


async def test_other_group_members_are_waited_for_and_not_killed(running: Running) -> None:
    ended = end_leader(running, running.start())
    running.kernel.family = True
    await past(0.02)
    assert not ended.done()
    running.kernel.family = False
    assert (await ended).outcome == Exited(0)
    assert running.kernel.calls == REAPED


async def test_group_members_are_killed_after_the_linger(running: Running) -> None:
    running.kernel.family = True
    ended = end_leader(running, running.start(linger=0.01))
    assert (await ended).outcome == Exited(0)
    assert running.kernel.calls == [*REAPED, "kill family"]


async def test_zombies_of_the_group_are_not_waited_for(running: Running) -> None:
    running.kernel.zombies = True
    async with asyncio.timeout(LONG / 2):
        assert (await end_leader(running, running.start())).outcome == Exited(0)
    assert running.kernel.calls == REAPED


@pytest.mark.parametrize("leftovers", [Leftovers.KEEP, Leftovers.KILL_ALL])
async def test_group_is_waited_for_with_kill_all_and_not_with_keep(running: Running, leftovers: Leftovers) -> None:
    running.kernel.family = True
    ended = end_leader(running, running.start(leftovers=leftovers))
    await past(0.01)
    assert ended.done() == (leftovers is Leftovers.KEEP)
    running.kernel.family = False
    await ended
    assert running.kernel.calls == (REAPED[:2] if leftovers is Leftovers.KEEP else [*REAPED, "end all"])


async def test_stop_at_the_moment_of_the_exit_does_not_wait_for_the_group(running: Running) -> None:
    running.kernel.family = True
    process = running.start()
    running.hang_up()
    await eventually(lambda: running.exit_watcher.hastened == [process])
    running.exit()
    running.control.stop(Cancelled())
    async with asyncio.timeout(LONG / 2):
        assert (await finished(process)).outcome == Exited(0)
    assert running.kernel.calls == [*REAPED, "end all"]


async def test_stop_while_the_group_is_waited_for_kills_all_and_keeps_the_outcome(running: Running) -> None:
    running.kernel.family = True
    ended = end_leader(running, running.start())
    await past(0.01)
    running.control.stop(Cancelled())
    async with asyncio.timeout(LONG / 2):
        assert (await ended).outcome == Exited(0)
    assert running.kernel.calls == [*REAPED, "end all"]


async def test_timeout_while_the_group_is_waited_for_changes_nothing(running: Running) -> None:
    running.kernel.family = True
    ended = end_leader(running, running.start(timeout=0.005))
    await past(0.02)
    assert not ended.done()
    running.kernel.family = False
    assert (await ended).outcome == Exited(0)
    assert running.kernel.calls == REAPED
