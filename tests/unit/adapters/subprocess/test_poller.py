import asyncio
import functools
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from proc import eventually

from execwire.adapters.subprocess.poller import Poller


@pytest.fixture
async def poller() -> AsyncIterator[Poller]:
    poller = Poller()
    yield poller
    poller.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        os.close(end)


async def test_readable_descriptor_is_reported_until_it_is_read(poller: Poller, pipe: tuple[int, int]) -> None:
    calls: list[str] = []
    poller.register(pipe[0], lambda: calls.append("readable"))
    await asyncio.sleep(0)
    assert calls == []
    os.write(pipe[1], b"x")
    await eventually(lambda: len(calls) >= 2)
    os.read(pipe[0], 1)
    before = len(calls)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(calls) == before
    poller.unregister(pipe[0])


async def test_unregistered_descriptor_is_not_reported_and_may_be_registered_again(
    poller: Poller, pipe: tuple[int, int]
) -> None:
    calls: list[str] = []
    poller.register(pipe[0], lambda: calls.append("first"))
    poller.unregister(pipe[0])
    os.write(pipe[1], b"x")
    poller.register(pipe[0], lambda: calls.append("second"))
    await eventually(lambda: len(calls) > 0)
    assert set(calls) == {"second"}
    poller.unregister(pipe[0])


async def test_callback_may_unregister_the_descriptor_of_the_next_event(poller: Poller, pipe: tuple[int, int]) -> None:
    other, writing = os.pipe2(os.O_NONBLOCK)
    ends = {"one": pipe[0], "other": other}
    calls: list[str] = []

    def call(name: str) -> None:
        calls.append(name)
        for descriptor in ends.values():
            poller.unregister(descriptor)

    for name, descriptor in ends.items():
        poller.register(descriptor, functools.partial(call, name))
    os.write(pipe[1], b"x")
    os.write(writing, b"x")
    await eventually(lambda: len(calls) > 0)
    await asyncio.sleep(0.001)
    assert len(calls) == 1
    os.close(other)
    os.close(writing)


async def test_descriptor_that_cannot_be_watched_raises_and_leaves_nothing_behind(poller: Poller) -> None:
    always_readable = os.memfd_create("file")
    with pytest.raises(PermissionError):
        poller.register(always_readable, lambda: None)
    with pytest.raises(KeyError):
        poller.unregister(always_readable)
    os.close(always_readable)
