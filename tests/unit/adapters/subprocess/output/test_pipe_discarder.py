"""Output that is written to a pipe after the result of its task has been sent."""

import asyncio
import contextlib
import fcntl
import os
import resource
import time
from collections.abc import AsyncIterator, Callable

import pytest
from event_loop import past
from proc import eventually, open_descriptors
from structlog.testing import capture_logs

from execwire.adapters.subprocess.output import pipe_discarder
from execwire.adapters.subprocess.output.pipe_discarder import DESCRIPTORS_DIVISOR, DISCARD_BYTES, PipeDiscarder
from execwire.adapters.subprocess.output.pipe_reader import bytes_in
from execwire.adapters.subprocess.poller import Poller

PAUSE = 0.005


class Discarding:
    """A PipeDiscarder and its pipes."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.discarder = PipeDiscarder(self.poller)
        self.ends: list[tuple[int, int]] = []

    def add(self, capacity: int = DISCARD_BYTES) -> int:
        """Add a pipe; return the write end."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, capacity)
        self.ends.append((reading, writing))
        self.discarder.add(reading)
        return writing

    def hang_up(self, writing: int) -> None:
        self.ends = [ends for ends in self.ends if ends[1] != writing]
        os.close(writing)

    def close(self) -> None:
        self.discarder.close()
        self.poller.close()
        for _, writing in self.ends:
            os.close(writing)


@pytest.fixture
async def discarding(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Discarding]:
    monkeypatch.setattr(pipe_discarder, "INTERVAL_SECONDS", PAUSE)
    before = open_descriptors()
    discarding = Discarding()
    yield discarding
    discarding.close()
    assert open_descriptors() == before


def fill(writing: int) -> int:
    """Write until the pipe is full; return the number of bytes."""
    written = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            written += os.write(writing, bytes(4096))
    return written


@pytest.mark.parametrize("flags", [0, os.O_DIRECT])
async def test_full_pipe_is_emptied_repeatedly(discarding: Discarding, flags: int) -> None:
    writing = discarding.add()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK | flags)
    for _ in range(3):
        assert fill(writing) == DISCARD_BYTES
        await eventually(lambda: bytes_in(writing) == 0)


async def test_no_more_than_discard_bytes_are_read_at_a_time(
    discarding: Discarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe_discarder, "DISCARD_BYTES", 4096)
    monkeypatch.setattr(pipe_discarder, "INTERVAL_SECONDS", 0.05)
    writing = discarding.add()
    written = fill(writing)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await eventually(lambda: bytes_in(writing) == 0)
    assert loop.time() - began >= (written / 4096 - 1) * 0.05


async def test_pipe_is_closed_at_end_of_file(discarding: Discarding) -> None:
    writing = discarding.add()
    reading = discarding.ends[0][0]
    fill(writing)
    discarding.hang_up(writing)
    await eventually(lambda: reading not in open_descriptors())
    # The same for empty pipes, one after another.
    for _ in range(3):
        discarding.hang_up(discarding.add())
        await eventually(lambda: reading not in open_descriptors())


async def test_event_loop_is_not_woken_while_nothing_is_written(
    discarding: Discarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = 0
    thread_time = time.thread_time

    def count_poll() -> float:
        nonlocal polls
        polls += 1
        return thread_time()

    monkeypatch.setattr(time, "thread_time", count_poll)
    monkeypatch.setattr(pipe_discarder, "INTERVAL_SECONDS", 0.02)
    writing = discarding.add()
    await past(0.1)
    assert polls == 0
    # Not every one of a thousand writes wakes it.
    for _ in range(1000):
        os.write(writing, b"x")
        await asyncio.sleep(0)
    await eventually(lambda: bytes_in(writing) == 0)
    await past(0.1)
    assert 1 <= polls < 100
    before = polls
    await past(0.1)
    assert polls == before


async def test_discarding_continues_after_memory_has_run_out(
    discarding: Discarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [MemoryError(), OSError(), MemoryError()]
    register = Poller.register

    def fail_at_first(poller: Poller, descriptor: int, callback: Callable[[], None]) -> None:
        if failures:
            raise failures.pop()
        register(poller, descriptor, callback)

    writing = discarding.add()
    monkeypatch.setattr(Poller, "register", fail_at_first)
    for _ in range(2):
        fill(writing)
        await eventually(lambda: bytes_in(writing) == 0)
        await eventually(lambda: not failures)


async def test_pause_grows_with_the_cpu_time_of_discarding(
    discarding: Discarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe_discarder, "MAX_SHARE", 1e-9)
    writing = discarding.add()
    fill(writing)
    await eventually(lambda: bytes_in(writing) == 0)
    fill(writing)
    await past(PAUSE * 10)
    assert bytes_in(writing) == DISCARD_BYTES


async def test_enlarged_pipe_is_made_small_again(discarding: Discarding) -> None:
    writing = discarding.add(1024 * 1024)
    assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) == DISCARD_BYTES


async def test_oldest_pipe_above_the_maximum_is_closed_with_few_warnings(
    discarding: Discarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(_: int) -> tuple[int, int]:
        return 3 * DESCRIPTORS_DIVISOR, 3 * DESCRIPTORS_DIVISOR

    monkeypatch.setattr(resource, "getrlimit", few)
    with capture_logs() as logs:
        writing = [discarding.add() for _ in range(5)]
    for end in writing[:2]:
        with pytest.raises(BrokenPipeError):
            os.write(end, b"x")
    for end in writing[2:]:
        assert os.write(end, b"x") == 1
    assert [log["log_level"] for log in logs] == ["warning"]


async def test_pipe_that_cannot_be_watched_is_closed(discarding: Discarding, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def register(self, *_: int) -> None:
            raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(discarding.discarder, "_epoll", Refusing())
        writing = discarding.add()
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
