"""What an order to stop does to a command, at whatever moment it comes, with nobody behind its pipe."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from capture_harness import read_and_close
from event_loop import past, settle
from process_harness import LONG, Running

from execwire.adapters.subprocess import leader
from execwire.adapters.subprocess.context import Leftovers
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import Cancelled, Exited, Outcome, Refused, TimedOut

SHORT = 0.01
KILLED = ["kill group", "end all", "reap", "release", "ask group"]
ASKED = f"signal group {signal.SIGTERM}"


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    running = Running(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(leader, "os", running.kernel)
        yield running
    running.close()


async def ending(process: Process) -> tuple[Outcome, bytes]:
    execution = await process.wait()
    return execution.outcome, await read_and_close(execution.output)


# Hazard 12.
async def test_an_order_kills_all_of_it_at_once_and_what_it_wrote_stays(running: Running) -> None:
    process = running.start(timeout=LONG)
    running.say(b"until then")
    running.control.stop(Cancelled())
    assert await ending(process) == (Cancelled(), b"until then")
    assert running.kernel.calls == KILLED


async def test_what_is_stopped_by_a_refusal_has_no_output(running: Running) -> None:
    process = running.start()
    running.say(b"until then")
    running.control.stop(Refused("the agent is stopping"))
    assert await ending(process) == (Refused("the agent is stopping"), b"")


async def test_the_first_verdict_stays(running: Running) -> None:
    process = running.start(timeout=SHORT, limit=1)
    running.control.stop(Cancelled(), LONG)
    running.say(b"too much")
    await settle()
    running.control.stop(Refused("the agent is stopping"))
    assert await ending(process) == (Cancelled(), b"t")


@pytest.mark.parametrize("leftovers", list(Leftovers))
async def test_one_that_had_ended_keeps_its_own_end_and_output_and_leaves_nothing(
    running: Running, leftovers: Leftovers
) -> None:
    process = running.start(leftovers=leftovers)
    running.say(b"text")
    running.exit(7 << 8)
    running.control.stop(Cancelled())
    assert await ending(process) == (Exited(7), b"text")
    assert running.kernel.calls[:2] == ["kill group", "end all"]


async def test_a_timeout_that_passes_during_the_linger_changes_nothing(running: Running) -> None:
    process = running.start(timeout=0.001, linger=0.02)
    running.exit()
    ended = asyncio.create_task(ending(process))
    await past(0.01)
    assert not ended.done()
    assert await ended == (Exited(0), b"")
    assert "end all" not in running.kernel.calls


async def test_a_timed_out_one_that_is_being_killed_stays_timed_out(running: Running) -> None:
    process = running.start(timeout=0.001)
    await past(0.002)
    running.control.stop(Refused("the agent is stopping"))
    assert await ending(process) == (TimedOut(), b"")


async def test_with_a_grace_it_is_asked_and_killed_when_that_is_over(running: Running) -> None:
    process = running.start()
    running.control.stop(Cancelled(), SHORT)
    assert running.kernel.calls == [ASKED]
    running.say(b"last words")
    assert await ending(process) == (Cancelled(), b"last words")
    assert running.kernel.calls == [ASKED, *KILLED]


async def test_with_a_grace_it_is_over_when_nobody_of_its_group_lives(running: Running) -> None:
    process = running.start()
    running.control.stop(Cancelled(), LONG)
    running.kernel.family = True
    running.exit(signal.SIGTERM)
    running.hang_up()
    ended = asyncio.create_task(ending(process))
    await past(0.02)
    assert not ended.done()
    running.kernel.family = False
    assert await ended == (Cancelled(), b"")
    assert running.kernel.calls == [ASKED, *KILLED]


@pytest.mark.parametrize(("first", "second"), [(LONG, SHORT), (SHORT, LONG), (LONG, 0.0)])
async def test_of_two_graces_the_one_that_is_over_first_counts(running: Running, first: float, second: float) -> None:
    process = running.start()
    running.control.stop(Cancelled(), first)
    running.control.stop(TimedOut(), second)
    async with asyncio.timeout(LONG / 2):
        assert await ending(process) == (Cancelled(), b"")
    assert running.kernel.calls.count(ASKED) == 1


async def test_too_much_output_ends_a_grace(running: Running) -> None:
    process = running.start(limit=4)
    running.control.stop(Cancelled(), LONG)
    running.say(b"12345")
    async with asyncio.timeout(LONG / 2):
        assert await ending(process) == (Cancelled(), b"1234")


async def test_an_order_after_its_end_reaches_nobody(running: Running) -> None:
    process = running.start()
    running.exit(told=False)
    running.hang_up()
    assert await ending(process) == (Exited(0), b"")
    calls = running.kernel.calls[:]
    running.control.stop(Cancelled(), SHORT)
    running.control.stop(Cancelled())
    await past(2 * SHORT)
    assert running.kernel.calls == calls
