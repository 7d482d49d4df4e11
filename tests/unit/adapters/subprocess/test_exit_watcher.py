"""When the end of a leader is told, with pipes in the place of pidfds."""

import errno
import os
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
from event_loop import past, settle
from exit_watcher_harness import FakeLeader, Following
from proc import eventually

from execwire.adapters.subprocess import exit_watcher

LONG = 60.0


@pytest.fixture
async def following(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    following = Following(monkeypatch)
    yield following
    following.close()


async def test_the_end_of_one_that_lives_is_told_once(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    assert child.told == 0
    child.end()
    await eventually(lambda: child.told == 1)
    await past(0.01)
    assert child.told == 1


async def test_for_one_that_ends_young_no_descriptor_is_opened(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.unwatch(child)
    await past(0.01)
    assert following.opened == []
    assert child.told == 0


async def test_one_that_ended_while_it_was_young_is_told_when_it_is_old_enough(following: Following) -> None:
    child = following.follow()
    child.end()
    await eventually(lambda: child.told == 1)
    assert following.opened == []


async def test_one_that_ends_right_after_its_stdout_is_told_without_a_descriptor(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.watch_now(child)
    child.end()
    await settle(3)
    assert child.told == 1
    assert following.opened == []


async def test_one_that_lives_on_without_its_stdout_is_told_without_growing_old(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exit_watcher, "PIDFD_AFTER_SECONDS", LONG)
    child = following.follow()
    following.exit_watcher.watch_now(child)
    following.exit_watcher.watch_now(child)
    await settle(3)
    assert len(following.opened) == 1
    child.end()
    await eventually(lambda: child.told == 1)


async def test_a_leader_that_nobody_follows_is_not_hastened(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.unwatch(child)
    following.exit_watcher.watch_now(child)
    await settle(3)
    assert following.opened == []


# Hazard 15.
async def test_where_no_descriptor_is_to_be_had_it_is_looked_for_again_and_again(following: Following) -> None:
    following.refusal = OSError(errno.EMFILE, "Too many open files")
    child = following.follow()
    following.exit_watcher.watch_now(child)
    await past(0.01)
    assert child.told == 0
    child.end()
    await eventually(lambda: child.told == 1)


# Hazard 15.
async def test_a_descriptor_that_cannot_be_watched_is_closed_and_the_end_told_all_the_same(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(following.poller, "register", refuse)
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    child.end()
    await eventually(lambda: child.told == 1)


async def test_what_is_readable_and_has_not_ended_is_not_told(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    os.write(child.writing, b"x")
    await past(0.005)
    assert child.told == 0


async def test_a_dead_one_that_its_tracer_holds_is_looked_at_now_and_then(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    # Its pidfd is readable, and stays so.
    os.close(child.writing)
    child.writing = -1
    await eventually(lambda: child.looks > 3)
    looks = child.looks
    await settle(1000)
    assert child.looks < looks + 500
    child.ended = True
    await eventually(lambda: child.told == 1)


async def test_each_is_told_of_its_own_end(following: Following) -> None:
    children = [following.follow() for _ in range(5)]
    await eventually(lambda: len(following.opened) == 5)
    children[3].end()
    await eventually(lambda: children[3].told == 1)
    assert [child.told for child in children] == [0, 0, 0, 1, 0]


async def test_an_end_of_which_nobody_could_be_told_is_told_again(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = FakeLeader()
    calls: list[str] = []

    def fail_once() -> None:
        calls.append("told")
        if len(calls) == 1:
            raise MemoryError

    def not_needed(_: int) -> NoReturn:
        pytest.fail("it has ended")

    child.ended = True
    monkeypatch.setattr(os, "pidfd_open", not_needed)
    following.exit_watcher.watch(child, fail_once)
    await eventually(lambda: calls == ["told", "told"])
