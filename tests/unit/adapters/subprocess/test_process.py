"""What ends a command first, and how it is cleaned up, with a pipe for its stdout and no real process."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from capture_harness import read_and_close
from event_loop import past
from proc import eventually
from process_harness import Running, finished

from execwire.adapters.subprocess import child_process
from execwire.adapters.subprocess.context import Leftovers
from execwire.adapters.subprocess.process import Process
from execwire.domain.outcome import Exited, Outcome, OutputLimitExceeded, ResultLost, Signalled, TimedOut


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


@pytest.mark.parametrize(
    ("status", "outcome"), [(0, Exited(0)), (7 << 8, Exited(7)), (signal.SIGSEGV, Signalled(11, "SIGSEGV"))]
)
async def test_task_is_complete_at_end_of_file_after_the_leader_has_ended(
    running: Running, status: int, outcome: Outcome
) -> None:
    process = running.start()
    running.say(b"text")
    running.exit(status, told=False)
    running.hang_up()
    assert await outcome_and_output(process) == (outcome, b"text")
    # Hazard 8: once it is reaped, no process is signalled by its number.
    assert running.kernel.calls == ["reap", "release", "ask group"]
    assert running.exit_watcher.callbacks == []


async def test_leader_that_closes_its_stdout_and_lives_on_is_waited_for(running: Running) -> None:
    process = running.start()
    ended = asyncio.create_task(outcome_and_output(process))
    running.hang_up()
    await eventually(lambda: running.exit_watcher.hastened == [process])
    assert not ended.done()
    running.exit()
    assert await ended == (Exited(0), b"")


# Hazard 2.
async def test_process_that_holds_stdout_after_the_leader_is_waited_for_at_most_linger(running: Running) -> None:
    process = running.start(linger=0.01)
    running.exit()
    running.say(b"late")
    assert await outcome_and_output(process) == (Exited(0), b"late")
    # The group is killed while its number cannot be reused.
    assert running.kernel.calls == ["kill group", "reap", "release", "ask group"]


async def test_kept_leftovers_are_not_killed(running: Running) -> None:
    process = running.start(linger=0.001, leftovers=Leftovers.KEEP)
    running.exit()
    assert await outcome_and_output(process) == (Exited(0), b"")
    assert running.kernel.calls == ["reap", "release"]


async def test_daemons_are_killed_before_the_result_if_all_leftovers_are_killed(running: Running) -> None:
    process = running.start(leftovers=Leftovers.KILL_ALL)
    running.exit()
    running.hang_up()
    assert await outcome_and_output(process) == (Exited(0), b"")
    assert running.kernel.calls == ["reap", "release", "ask group", "end all"]


# Hazard 18.
async def test_timeout_kills_the_whole_task_and_keeps_its_output(running: Running) -> None:
    process = running.start(timeout=0.01)
    running.say(b"until then")
    assert await outcome_and_output(process) == (TimedOut(), b"until then")
    assert running.kernel.calls[:2] == ["kill group", "end all"]


async def test_command_that_ended_just_before_its_timeout_has_not_timed_out(running: Running) -> None:
    process = running.start(timeout=0.001)
    running.exit(3 << 8, told=False)
    ended = asyncio.create_task(outcome_and_output(process))
    await past(0.005)
    assert not ended.done()
    running.hang_up()
    assert await ended == (Exited(3), b"")


# Hazard 7.
async def test_leader_that_cannot_be_killed_is_disowned_and_the_result_returned(running: Running) -> None:
    running.kernel.unkillable = True
    process = running.start(timeout=0.001)
    assert await outcome_and_output(process) == (TimedOut(), b"")
    assert running.kernel.calls == ["kill group", "end all", "abandon"]


# Hazard 17.
async def test_task_over_the_output_limit_is_killed_and_keeps_its_first_bytes(running: Running) -> None:
    process = running.start(limit=4)
    running.say(b"12345")
    assert await outcome_and_output(process) == (OutputLimitExceeded(), b"1234")
    assert "end all" in running.kernel.calls


async def test_output_over_the_limit_at_the_last_read_is_reported_after_a_normal_end(running: Running) -> None:
    process = running.start(limit=4, linger=0.0)
    running.exit()
    running.say(b"12345")
    outcome, output = await outcome_and_output(process)
    assert (outcome, output) == (OutputLimitExceeded(), b"1234")


# Hazard 15.
async def test_task_whose_output_cannot_be_kept_reports_that_it_ran_and_why(running: Running) -> None:
    running.spool.directory = "/nonexistent"
    running.spool.memory.reserve(1 << 30)
    process = running.start()
    running.say(b"text")
    reason = "the command ran, but its output could not be kept in /nonexistent: No such file or directory"
    assert await outcome_and_output(process) == (ResultLost(reason), b"")
    assert running.kernel.calls[:2] == ["kill group", "end all"]


async def test_leader_reaped_by_other_code_has_a_result_and_its_pid_is_not_signalled(
    running: Running,
) -> None:
    process = running.start()
    running.say(b"text")
    running.kernel.lost = True
    running.exit()
    running.hang_up()
    outcome, _ = await outcome_and_output(process)
    assert outcome == ResultLost("the command may have run, but the agent could not see it through: No child processes")
    assert "release" in running.kernel.calls
    assert not any(call.startswith(("kill group", "signal", "reap")) for call in running.kernel.calls)
