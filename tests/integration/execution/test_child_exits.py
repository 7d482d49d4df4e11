"""Exits of children are detected by SIGCHLD, however long the polling interval is."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
from adopting import MARK, adopt, reap
from event_loop import past
from proc import eventually, is_alive

from execwire.adapters.subprocess import adopted_reaper
from execwire.adapters.subprocess import containment as containment_module
from execwire.adapters.subprocess.containment import Containment

NEVER = 1e6


@pytest.fixture
async def containment(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Containment]:
    monkeypatch.setattr(adopted_reaper, "REAP_SECONDS", NEVER)
    for name in ("FIRST_PAUSE_SECONDS", "LAST_PAUSE_SECONDS"):
        monkeypatch.setattr(containment_module, name, NEVER)
    containment = Containment()
    yield containment
    await containment.close()


def reaped(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")  # noqa: PTH110 -- a zombie has it, and Path's is slow


async def test_orphan_is_reaped_as_soon_as_it_exits(containment: Containment) -> None:
    orphan, running = adopt("sleep", "600"), adopt("sleep", "600")
    containment.track(running, MARK)
    os.kill(orphan, signal.SIGKILL)
    await eventually(lambda: reaped(orphan), 2.0)
    assert is_alive(running)
    os.kill(running, signal.SIGKILL)
    reap(running)
    containment.untrack(running)


async def test_orphan_behind_other_zombies_is_reaped_after_them(containment: Containment) -> None:
    orphan, leaders = adopt("sleep", "600"), [adopt("true") for _ in range(3)]
    for leader in leaders:
        containment.track(leader, MARK)
    await eventually(lambda: not any(map(is_alive, leaders)))
    os.kill(orphan, signal.SIGKILL)
    await past(3 * adopted_reaper.SIGNAL_INTERVAL_SECONDS)
    for leader in leaders:
        reap(leader)
        containment.untrack(leader)
    running = adopt("true")
    containment.track(running, MARK)
    await eventually(lambda: reaped(orphan), 2.0)
    reap(running)
    containment.untrack(running)


async def test_sweep_continues_as_soon_as_awaited_process_dies(containment: Containment) -> None:
    pid = adopt("sleep", "600")
    assert await containment.kill(MARK)
    assert reaped(pid)


async def test_sigchld_handler_is_restored_after_last_listener() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    containment = Containment()
    assert signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    await containment.close()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
