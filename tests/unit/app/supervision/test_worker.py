"""Both sides of a fork that does not happen: what the supervisor holds of a worker, and what the worker lets go of."""

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
def _as_before() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() - before == set()
    assert blocked() == set()


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> FakeFork:
    fork = FakeFork()
    monkeypatch.setattr(worker, "os", fork)
    return fork


def no_work(_orders: int, _ready: int) -> int:
    raise AssertionError


def unheld() -> None:
    raise AssertionError


def test_orders_reach_a_worker_and_closing_ends_them(fork: FakeFork) -> None:
    fork.copying = True
    started = fork_worker(no_work, unheld)
    orders, ready = fork.copies
    started.send(STOP)
    started.send(KILL)
    assert os.read(orders, 16) == STOP + KILL
    os.write(ready, b"!")
    assert os.read(started.ready, 1) == b"!"
    os.close(ready)
    # Nobody else holds the writing end: its end is seen.
    assert os.read(started.ready, 1) == b""
    started.close()
    assert os.read(orders, 1) == b""
    os.close(orders)


def test_who_has_just_died_does_not_mind_an_order(fork: FakeFork) -> None:
    assert fork.pid == PID
    started = fork_worker(no_work, unheld)
    started.send(STOP)
    started.close()


def test_a_worker_lets_go_of_what_is_the_supervisors_and_exits_with_what_its_work_returns(fork: FakeFork) -> None:
    fork.pid = 0
    seen: list[set[int]] = []

    def after_fork() -> None:
        # A signal that came before would be taken for the worker's.
        seen.append(blocked())

    def work(orders: int, ready: int) -> int:
        seen.append(blocked())
        assert (orders, ready) == (fork.pipes[0][0], fork.pipes[1][1])
        for not_ours in (fork.pipes[0][1], fork.pipes[1][0]):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(not_ours)
        os.close(orders)
        os.close(ready)
        return 3

    with pytest.raises(ExitedError) as end:
        fork_worker(work, after_fork)
    assert end.value.args == (3,)
    assert seen == [{*CAUGHT_SIGNALS}, set()]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), MemoryError(), SystemExit(0), KeyboardInterrupt()])
@pytest.mark.parametrize("fails_early", [True, False])
def test_whatever_fails_in_the_forked_process_it_never_returns_into_the_supervisors_code(
    fork: FakeFork, error: BaseException, *, fails_early: bool
) -> None:
    fork.pid = 0

    def after_fork() -> None:
        if fails_early:
            raise error

    def work(_orders: int, _ready: int) -> int:
        raise error

    with pytest.raises(ExitedError) as end:
        fork_worker(work, after_fork)
    assert end.value.args == (FAILED,)
    for descriptor in (fork.pipes[0][0], fork.pipes[1][1]):
        os.close(descriptor)


def test_no_stop_signal_gets_between_the_fork_and_what_the_worker_makes_of_it(fork: FakeFork) -> None:
    fork_worker(no_work, unheld).close()
    assert {*CAUGHT_SIGNALS} <= fork.blocked


# Hazard 15.
def test_a_fork_that_fails_leaves_nothing_behind(fork: FakeFork) -> None:
    fork.fork_refusal = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    with pytest.raises(BlockingIOError):
        fork_worker(no_work, unheld)
    assert fork.ended == []


# Hazard 15.
@pytest.mark.parametrize("left", [0, 1])
def test_without_descriptors_for_its_pipes_nothing_is_forked(fork: FakeFork, left: int) -> None:
    fork.left = left
    fork.fork_refusal = AssertionError()
    with pytest.raises(OSError, match="Too many open files"):
        fork_worker(no_work, unheld)


# Hazard 15.
def test_a_worker_that_cannot_be_watched_is_killed_then_reaped(fork: FakeFork) -> None:
    fork.watch_refusal = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(OSError, match="Too many open files"):
        fork_worker(no_work, unheld)
    assert fork.ended == [("kill", PID, signal.SIGKILL), ("wait", PID, 0)]


def test_killing_sends_sigkill_to_it_alone(fork: FakeFork) -> None:
    started = fork_worker(no_work, unheld)
    started.kill()
    started.close()
    assert fork.ended == [("kill", PID, signal.SIGKILL)]
