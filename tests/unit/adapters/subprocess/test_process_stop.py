"""What a stop does to a command, at any moment, with a pipe for its stdout and no real process."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from capture_harness import read_and_close
from event_loop import past, settle
from process_harness import LONG, Running, finished

from execwire.adapters.subprocess import child_process
from execwire.adapters.subprocess.context import Leftovers
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import Cancelled, Exited, Outcome, Refused, TimedOut

SHORT = 0.01
KILLED = ["kill group", "end all", "reap", "release", "ask group"]
TERMINATED = f"signal group {signal.SIGTERM}"


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    running = Running(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "os", running.kernel)
        yield running
    running.close()


async def outcome_and_output(process: Process) -> tuple[Outcome, bytes]:
    execution = await finished(process)
    return execution.outcome, await read_and_close(execution.output)


# Hazard 12.
async def test_stop_kills_the_whole_task_at_once_and_keeps_its_output(running: Running) -> None:
    process = running.start(timeout=LONG)
    running.say(b"until then")
    running.control.stop(Cancelled())
    assert await outcome_and_output(process) == (Cancelled(), b"until then")
    assert running.kernel.calls == KILLED


async def test_task_that_is_stopped_with_a_refusal_has_no_output(running: Running) -> None:
    process = running.start()
    running.say(b"until then")
    running.control.stop(Refused("the agent is stopping"))
    assert await outcome_and_output(process) == (Refused("the agent is stopping"), b"")


async def test_first_verdict_stays(running: Running) -> None:
    process = running.start(timeout=SHORT, limit=1)
    running.control.stop(Cancelled(), LONG)
    running.say(b"too much")
    await settle()
    running.control.stop(Refused("the agent is stopping"))
    assert await outcome_and_output(process) == (Cancelled(), b"t")


@pytest.mark.parametrize("leftovers", list(Leftovers))
async def test_stop_after_the_exit_keeps_outcome_and_output_and_kills_the_rest(
    running: Running, leftovers: Leftovers
) -> None:
    process = running.start(leftovers=leftovers)
    running.say(b"text")
    running.exit(7 << 8)
    running.control.stop(Cancelled())
    assert await outcome_and_output(process) == (Exited(7), b"text")
    assert running.kernel.calls[:2] == ["kill group", "end all"]


async def test_timeout_during_the_linger_changes_nothing(running: Running) -> None:
    process = running.start(timeout=0.001, linger=0.02)
    running.exit()
    ended = asyncio.create_task(outcome_and_output(process))
    await past(0.01)
    assert not ended.done()
    assert await ended == (Exited(0), b"")
    assert "end all" not in running.kernel.calls


async def test_timed_out_task_that_is_stopped_while_being_killed_stays_timed_out(running: Running) -> None:
    process = running.start(timeout=0.001)
    await past(0.002)
    running.control.stop(Refused("the agent is stopping"))
    assert await outcome_and_output(process) == (TimedOut(), b"")


async def test_stop_with_grace_sends_sigterm_and_kills_after_the_grace(running: Running) -> None:
    process = running.start()
    running.control.stop(Cancelled(), SHORT)
    assert running.kernel.calls == [TERMINATED]
    running.say(b"last words")
    assert await outcome_and_output(process) == (Cancelled(), b"last words")
    assert running.kernel.calls == [TERMINATED, *KILLED]


async def test_stop_with_grace_is_complete_when_no_group_member_is_alive(running: Running) -> None:
    process = running.start()
    running.control.stop(Cancelled(), LONG)
    running.kernel.family = True
    running.exit(signal.SIGTERM)
    running.hang_up()
    ended = asyncio.create_task(outcome_and_output(process))
    await past(0.02)
    assert not ended.done()
    running.kernel.family = False
    assert await ended == (Cancelled(), b"")
    assert running.kernel.calls == [TERMINATED, *KILLED]


@pytest.mark.parametrize(("first", "second"), [(LONG, SHORT), (SHORT, LONG), (LONG, 0.0)])
async def test_grace_that_ends_first_counts(running: Running, first: float, second: float) -> None:
    process = running.start()
    running.control.stop(Cancelled(), first)
    running.control.stop(TimedOut(), second)
    async with asyncio.timeout(LONG / 2):
        assert await outcome_and_output(process) == (Cancelled(), b"")
    assert running.kernel.calls.count(TERMINATED) == 1


async def test_output_over_the_limit_ends_the_grace(running: Running) -> None:
    process = running.start(limit=4)
    running.control.stop(Cancelled(), LONG)
    running.say(b"12345")
    async with asyncio.timeout(LONG / 2):
        assert await outcome_and_output(process) == (Cancelled(), b"1234")


async def test_stop_after_the_result_has_no_effect(running: Running) -> None:
    process = running.start()
    running.exit(told=False)
    running.hang_up()
    assert await outcome_and_output(process) == (Exited(0), b"")
    calls = running.kernel.calls[:]
    running.control.stop(Cancelled(), SHORT)
    running.control.stop(Cancelled())
    await past(2 * SHORT)
    assert running.kernel.calls == calls
