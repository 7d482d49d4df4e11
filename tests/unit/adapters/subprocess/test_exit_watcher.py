"""When the exit of a leader is reported, with pipes instead of pidfds."""

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


async def test_exit_of_an_older_leader_is_reported_once(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    assert child.told == 0
    child.end()
    await eventually(lambda: child.told == 1)
    await past(0.01)
    assert child.told == 1


async def test_no_pidfd_is_opened_for_a_leader_that_ends_early(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.unwatch(child)
    await past(0.01)
    assert following.opened == []
    assert child.told == 0


async def test_early_exit_is_reported_when_a_pidfd_would_be_opened(following: Following) -> None:
    child = following.follow()
    child.end()
    await eventually(lambda: child.told == 1)
    assert following.opened == []


async def test_exit_right_after_closing_stdout_is_reported_without_a_pidfd(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.watch_now(child)
    child.end()
    await settle(3)
    assert child.told == 1
    assert following.opened == []


async def test_leader_that_lives_on_without_stdout_gets_a_pidfd_at_once(
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


async def test_unwatched_leader_is_not_checked(following: Following) -> None:
    child = following.follow()
    following.exit_watcher.unwatch(child)
    following.exit_watcher.watch_now(child)
    await settle(3)
    assert following.opened == []


# Hazard 15.
async def test_leader_without_a_pidfd_is_checked_repeatedly(following: Following) -> None:
    following.refusal = OSError(errno.EMFILE, "Too many open files")
    child = following.follow()
    following.exit_watcher.watch_now(child)
    await past(0.01)
    assert child.told == 0
    child.end()
    await eventually(lambda: child.told == 1)


# Hazard 15.
async def test_pidfd_that_cannot_be_watched_is_closed_and_the_exit_still_reported(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(following.poller, "register", refuse)
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    child.end()
    await eventually(lambda: child.told == 1)


async def test_readable_pidfd_of_a_living_leader_is_not_reported(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    os.write(child.writing, b"x")
    await past(0.005)
    assert child.told == 0


async def test_dead_leader_that_its_tracer_holds_is_checked_from_time_to_time(following: Following) -> None:
    child = following.follow()
    await eventually(lambda: bool(following.opened))
    # The pidfd becomes readable and stays readable.
    os.close(child.writing)
    child.writing = -1
    await eventually(lambda: child.looks > 3)
    before = child.looks
    await settle(1000)
    assert child.looks < before + 500
    child.ended = True
    await eventually(lambda: child.told == 1)


async def test_each_exit_is_reported_to_its_own_callback(following: Following) -> None:
    children = [following.follow() for _ in range(5)]
    await eventually(lambda: len(following.opened) == 5)
    children[3].end()
    await eventually(lambda: children[3].told == 1)
    assert [child.told for child in children] == [0, 0, 0, 1, 0]


async def test_callback_that_failed_is_called_again(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    child = FakeLeader()
    calls: list[str] = []

    def fail_once() -> None:
        calls.append("called")
        if len(calls) == 1:
            raise MemoryError

    def refuse(_: int) -> NoReturn:
        pytest.fail("it has ended")

    child.ended = True
    monkeypatch.setattr(os, "pidfd_open", refuse)
    following.exit_watcher.watch(child, fail_once)
    await eventually(lambda: calls == ["called", "called"])
