"""The starter's main loop, run in this process: orders, forks, and the reports of failures."""

import errno
import marshal
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from proc import open_descriptors

from execwire.adapters.subprocess.spawn import start_program
from execwire.adapters.subprocess.spawn.start_order import FAILED, StartOrder
from execwire.adapters.subprocess.spawn.task_process import Reporter

ORDER = StartOrder(b"/bin/sh", b"sh", {}, b"/bin", mark=7, limits=(50, 100))


class Ended(BaseException):
    """The process has called _exit(2)."""


@contextmanager
def channel() -> Generator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def serve(*messages: list[int]) -> None:
    """Run the starter for one order with each list of descriptors, until its socket is at end-of-file."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        for descriptors in messages:
            socket.send_fds(ours, [b"!"], descriptors)
    start_program.main(theirs.detach(), os.getppid())


@pytest.fixture
def order() -> Iterator[list[int]]:
    """The descriptors of an order, except its channel."""
    descriptors = [os.open(os.devnull, os.O_WRONLY), ORDER.to_file()]
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def failure(worker: socket.socket) -> str:
    report = worker.recv(65536)
    assert report[:1] == FAILED
    _, reason = marshal.loads(report[1:])  # noqa: S302 -- of the code under test
    return str(reason)


# Hazard 15.
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_failed_fork_is_reported_and_the_next_order_is_executed(
    order: list[int], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse() -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fork", refuse)
    with channel() as (worker, theirs):
        before = open_descriptors()
        serve([theirs.fileno(), *order], [theirs.fileno(), *order])
        theirs.close()
        assert [failure(worker), failure(worker)] == [os.strerror(number)] * 2
        assert open_descriptors() <= before


def test_order_without_all_of_its_descriptors_is_dropped(order: list[int]) -> None:
    before = open_descriptors()
    serve(order)
    assert open_descriptors() <= before


# Threads of other tests may still run; the forked process does nothing that could wait for their locks.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_process_is_a_grandchild_whose_parent_has_been_reaped() -> None:
    reading, writing = os.pipe()
    if start_program.fork_child_of_worker():
        os.write(writing, b"x")
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 2) == b"x"
    assert os.read(reading, 2) == b""
    os.close(reading)


WRONG = [
    (MemoryError(), "Cannot allocate memory"),
    (OSError(errno.EPERM, "No"), "No"),
    (ValueError("x"), "ValueError('x')"),
]


@pytest.mark.parametrize(("raised", "reason"), WRONG)
@pytest.mark.parametrize("worker_lives", [True, False])
def test_any_error_before_the_exec_is_reported_to_a_living_worker(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, reason: str, *, worker_lives: bool
) -> None:
    def fail(*_: object) -> None:
        raise raised

    def exit_now(_: int) -> None:
        raise Ended

    monkeypatch.setattr(start_program, "become_task", fail)
    monkeypatch.setattr(os, "_exit", exit_now)
    with channel() as (worker, theirs):
        with pytest.raises(Ended):
            start_program.run_task(Reporter(theirs), -1, -1, os.getppid() if worker_lives else -1)
        theirs.close()
        if worker_lives:
            assert failure(worker) == reason
        else:
            assert worker.recv(1) == b""
