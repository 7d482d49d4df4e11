"""Both sides of a fake fork: the supervisor's state of a worker, and what the worker closes."""

import errno
import os
import signal
from collections.abc import Iterator

import pytest
from fake_fork import PID, ExitedError, FakeFork
from proc import open_descriptors

from execwire.app.control_pipe import FAILED, KILL, STOP
from execwire.app.stop_signals import CAUGHT_SIGNALS
from execwire.app.supervision import worker
from execwire.app.supervision.worker import fork_worker


def blocked() -> set[int]:
    return {*signal.pthread_sigmask(signal.SIG_BLOCK, ())} & {*CAUGHT_SIGNALS}


@pytest.fixture(autouse=True)
def _nothing_leaked() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() - before == set()
    assert blocked() == set()


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> FakeFork:
    fork = FakeFork()
    monkeypatch.setattr(worker, "os", fork)
    return fork


def unused_work(_control: int, _ready: int) -> int:
    raise AssertionError


def unused_after_fork() -> None:
    raise AssertionError


def test_commands_reach_a_worker_and_closing_gives_it_end_of_file(fork: FakeFork) -> None:
    fork.copying = True
    started = fork_worker(unused_work, unused_after_fork)
    control, ready = fork.copies
    started.send(STOP)
    started.send(KILL)
    assert os.read(control, 16) == STOP + KILL
    os.write(ready, b"!")
    assert os.read(started.ready, 1) == b"!"
    os.close(ready)
    # No other descriptor of the write end is open, so the read end gets end-of-file.
    assert os.read(started.ready, 1) == b""
    started.close()
    assert os.read(control, 1) == b""
    os.close(control)


def test_sending_to_a_worker_that_has_died_does_nothing(fork: FakeFork) -> None:
    assert fork.pid == PID
    started = fork_worker(unused_work, unused_after_fork)
    started.send(STOP)
    started.close()


def test_worker_closes_the_supervisors_descriptors_and_exits_with_the_result_of_its_work(fork: FakeFork) -> None:
    fork.pid = 0
    seen: list[set[int]] = []

    def after_fork() -> None:
        # If signals were not blocked, the worker would handle one that is meant for the supervisor.
        seen.append(blocked())

    def work(control: int, ready: int) -> int:
        seen.append(blocked())
        assert (control, ready) == (fork.pipes[0][0], fork.pipes[1][1])
        for parents in (fork.pipes[0][1], fork.pipes[1][0]):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(parents)
        os.close(control)
        os.close(ready)
        return 3

    with pytest.raises(ExitedError) as exited:
        fork_worker(work, after_fork)
    assert exited.value.args == (3,)
    assert seen == [{*CAUGHT_SIGNALS}, set()]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), MemoryError(), SystemExit(0), KeyboardInterrupt()])
@pytest.mark.parametrize("fails_early", [True, False])
def test_forked_process_never_returns_into_the_supervisors_code(
    fork: FakeFork, error: BaseException, *, fails_early: bool
) -> None:
    fork.pid = 0

    def after_fork() -> None:
        if fails_early:
            raise error

    def work(_control: int, _ready: int) -> int:
        raise error

    with pytest.raises(ExitedError) as exited:
        fork_worker(work, after_fork)
    assert exited.value.args == (FAILED,)
    for descriptor in (fork.pipes[0][0], fork.pipes[1][1]):
        os.close(descriptor)


def test_stop_signals_are_blocked_during_the_fork(fork: FakeFork) -> None:
    fork_worker(unused_work, unused_after_fork).close()
    assert {*CAUGHT_SIGNALS} <= fork.blocked


# Hazard 15.
def test_failed_fork_leaves_nothing(fork: FakeFork) -> None:
    fork.fork_refusal = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    with pytest.raises(BlockingIOError):
        fork_worker(unused_work, unused_after_fork)
    assert fork.ended == []


# Hazard 15.
@pytest.mark.parametrize("left", [0, 1])
def test_nothing_is_forked_without_descriptors_for_the_pipes(fork: FakeFork, left: int) -> None:
    fork.left = left
    fork.fork_refusal = AssertionError()
    with pytest.raises(OSError, match="Too many open files"):
        fork_worker(unused_work, unused_after_fork)


# Hazard 15.
def test_worker_without_a_pidfd_is_killed_and_reaped(fork: FakeFork) -> None:
    fork.watch_refusal = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(OSError, match="Too many open files"):
        fork_worker(unused_work, unused_after_fork)
    assert fork.ended == [("kill", PID, signal.SIGKILL), ("wait", PID, 0)]


def test_kill_sends_sigkill_to_the_worker_only(fork: FakeFork) -> None:
    started = fork_worker(unused_work, unused_after_fork)
    started.kill()
    started.close()
    assert fork.ended == [("kill", PID, signal.SIGKILL)]
