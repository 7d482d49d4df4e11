"""What a spawn on the event loop passes to the child and restores, without a real process."""

import errno
import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fake_spawn import ENVIRONMENT, PID, FakeSpawn, Limits
from proc import open_descriptors
from programs import made

from execwire.adapters.linux.marks import MARKS
from execwire.adapters.subprocess.spawn import posix as spawn_module
from execwire.adapters.subprocess.spawn.limits import RLIMIT_LOCKS
from execwire.adapters.subprocess.spawn.posix import Spawned, Spawner, insufficient_mark_limit, raise_descriptor_limit
from execwire.adapters.subprocess.spawn.start_order import Program
from execwire.domain.outcome import NotStarted

MARK = 77


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch) -> FakeSpawn:
    spawn = FakeSpawn()
    monkeypatch.setattr(os, "posix_spawn", spawn)
    return spawn


@pytest.fixture
def own() -> Iterator[Limits]:
    """The limits of open files of this process, which must be unchanged afterwards."""
    before = (resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(RLIMIT_LOCKS))
    yield before[0]
    assert (resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(RLIMIT_LOCKS)) == before


@pytest.fixture
async def spawner(own: Limits) -> AsyncIterator[Spawner]:
    """A spawner that knows the programs `tool` and /bin/sh and leaves no descriptor open."""
    before = open_descriptors()
    spawner = Spawner((own[0] - 1, own[1]), ENVIRONMENT)
    for name in ("tool", "/bin/sh"):
        spawner.learner(name)(Program(b"/bin/sh", (), (b"/bin/sh",)))
    yield spawner
    spawner.close()
    assert open_descriptors() - before == set()


async def test_unknown_program_is_not_started(spawner: Spawner, spawn: FakeSpawn) -> None:
    assert spawner.spawn(("sh",), MARK) is None
    assert spawn.paths == []


@pytest.mark.parametrize("lower", [0, 1])
async def test_child_gets_its_mark_and_limits_and_the_agent_keeps_its_own(
    spawn: FakeSpawn, own: Limits, lower: int
) -> None:
    task_limit = (own[0] - lower, own[1])
    spawner = Spawner(task_limit, ENVIRONMENT)
    spawner.learner("tool")(Program(b"/bin/sh", (), (b"/bin/sh",)))
    spawned = spawner.spawn(("tool", "-c", "grüße"), MARK)
    spawner.close()
    assert isinstance(spawned, Spawned)
    assert (spawned.pid, spawned.mark, spawned.start) == (PID, MARK, None)
    assert not os.get_inheritable(spawned.stdout)
    os.close(spawned.stdout)
    assert spawn.limits == [(MARK, task_limit)]
    assert spawn.paths == [b"/bin/sh"]
    assert spawn.arguments == [b"tool", b"-c", "grüße".encode()]
    assert spawn.setsid


# Hazard 15.
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
async def test_shortage_is_reported_and_leaves_nothing_behind(spawner: Spawner, spawn: FakeSpawn, number: int) -> None:
    spawn.failure = OSError(number, os.strerror(number))
    for _ in range(2):
        assert spawner.spawn(("tool",), MARK) == NotStarted(f"cannot start tool: {os.strerror(number)}")
    assert len(spawn.paths) == 2


@pytest.mark.parametrize("number", [errno.E2BIG, errno.EACCES, errno.ETXTBSY, errno.ENOENT])
async def test_other_failure_is_left_to_the_starter_and_leaves_nothing_behind(
    spawner: Spawner, spawn: FakeSpawn, number: int
) -> None:
    spawn.failure = OSError(number, os.strerror(number))
    for _ in range(2):
        assert spawner.spawn(("tool",), MARK) is None
    assert len(spawn.paths) == 1


@pytest.mark.parametrize("failure", [MemoryError(), ValueError(), KeyboardInterrupt()])
async def test_any_exception_leaves_nothing_behind(spawner: Spawner, spawn: FakeSpawn, failure: BaseException) -> None:
    spawn.failure = failure
    with pytest.raises(type(failure)):
        spawner.spawn(("tool",), MARK)


# Hazard 15.
async def test_missing_descriptor_for_a_pipe_is_reported_and_starts_nothing(
    spawner: Spawner, spawn: FakeSpawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pipe2", refuse)
    assert spawner.spawn(("tool",), MARK) == NotStarted("cannot start tool: Too many open files")
    assert spawn.paths == []


async def test_files_of_a_program_are_opened_again_after_tried_seconds(
    spawner: Spawner, spawn: FakeSpawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = tmp_path / "interpreter"
    interpreter.touch()
    spawner.learner("tool")(Program(b"/bin/sh", (), (bytes(interpreter),)))
    for seconds, starts in ((60.0, 1), (60.0, 2), (0.0, 2)):
        monkeypatch.setattr(spawn_module, "TRIED_SECONDS", seconds)
        spawned = spawner.spawn(("tool",), MARK)
        assert len(spawn.paths) == starts
        if isinstance(spawned, Spawned):
            os.close(spawned.stdout)
        interpreter.unlink(missing_ok=True)


async def test_new_file_earlier_in_the_path_is_not_ignored(spawner: Spawner, spawn: FakeSpawn, tmp_path: Path) -> None:
    earlier = tmp_path / "tool"
    spawner.learner("tool")(Program(b"/bin/sh", (bytes(earlier),), (b"/bin/sh",)))
    spawned = spawner.spawn(("tool",), MARK)
    assert isinstance(spawned, Spawned)
    os.close(spawned.stdout)
    earlier.symlink_to("/nonexistent")
    assert spawner.spawn(("tool",), MARK) is None
    assert len(spawn.paths) == 1


async def test_missing_program_or_interpreter_is_left_to_the_starter(
    spawner: Spawner, spawn: FakeSpawn, tmp_path: Path
) -> None:
    interpreter = Path(made(tmp_path / "interpreter", ""))
    spawner.learner("tool")(Program(b"/bin/sh", (), (b"/bin/sh", bytes(interpreter))))
    interpreter.unlink()
    assert spawner.spawn(("tool",), MARK) is None
    assert spawn.paths == []


async def test_slow_program_is_not_started_on_the_event_loop_again(
    spawner: Spawner, spawn: FakeSpawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([100.0, 100.2])
    monkeypatch.setattr("execwire.adapters.subprocess.spawn.posix.monotonic", lambda: next(moments))
    spawned = spawner.spawn(("tool",), MARK)
    assert isinstance(spawned, Spawned)
    os.close(spawned.stdout)
    assert spawner.spawn(("tool",), MARK) is None
    assert len(spawn.paths) == 1


async def test_order_contains_everything_for_an_equal_start(spawner: Spawner, own: Limits) -> None:
    order = spawner.order(("tööl", "x"), MARK)
    assert (order.name, order.arguments) == ("tööl".encode(), "tööl\0x".encode())
    assert (order.environment, order.search_path, order.mark) == (ENVIRONMENT, b"/bin", MARK)
    assert order.limits == (own[0] - 1, own[1])


def test_agent_raises_its_descriptor_limit_to_the_hard_limit(own: Limits) -> None:
    soft = min(own[0], 512)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, own[1]))
    try:
        assert raise_descriptor_limit() == (soft, own[1])
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (own[1], own[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)


@pytest.mark.parametrize(
    ("hard", "too_low"), [(resource.RLIM_INFINITY, None), (MARKS, None), (MARKS - 1, MARKS - 1), (0, 0)]
)
def test_hard_limit_below_the_marks_is_reported(
    monkeypatch: pytest.MonkeyPatch, hard: int, too_low: int | None
) -> None:
    monkeypatch.setattr(resource, "getrlimit", {RLIMIT_LOCKS: (0, hard)}.__getitem__)
    assert insufficient_mark_limit() == too_low
