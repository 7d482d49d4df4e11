"""What a spawn hands over and puts back, without a process coming of it."""

import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from proc import open_descriptors

from execwire.adapters.subprocess.procfs import RLIMIT_LOCKS
from execwire.adapters.subprocess.spawn import MARKS, Busy, Spawned, Spawner, mark_limit, raise_descriptor_limit
from execwire.domain.outcome import NotStarted

MARK, PID = 77, 4711


@dataclass
class FakeSpawn:
    """posix_spawn(3), noting the limits of the moment, which a child would inherit."""

    failure: OSError | None = None
    paths: list[bytes] = field(default_factory=list[bytes])
    arguments: list[bytes] = field(default_factory=list[bytes])
    limits: list[tuple[int, tuple[int, int]]] = field(default_factory=list[tuple[int, tuple[int, int]]])
    setsid: bool = False

    def __call__(
        self, path: bytes, arguments: list[bytes], environment: dict[bytes, bytes], *, setsid: bool, **_: object
    ) -> int:
        assert environment[b"PATH"]
        self.paths.append(path)
        self.arguments = arguments
        self.setsid = setsid
        self.limits.append((resource.getrlimit(RLIMIT_LOCKS)[0], resource.getrlimit(resource.RLIMIT_NOFILE)))
        if self.failure is not None:
            raise self.failure
        return PID


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch) -> FakeSpawn:
    spawn = FakeSpawn()
    monkeypatch.setattr(os, "posix_spawn", spawn)
    return spawn


@pytest.fixture
def own() -> Iterator[tuple[int, int]]:
    """The limits of open files of this process, which have to be the same afterwards."""
    before, opened = (resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(RLIMIT_LOCKS)), open_descriptors()
    yield before[0]
    assert (resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(RLIMIT_LOCKS)) == before
    assert open_descriptors() - opened == set()


@pytest.mark.parametrize("lower", [0, 1])
def test_a_child_gets_its_mark_and_its_limits_and_the_agent_keeps_its_own(
    spawn: FakeSpawn, own: tuple[int, int], lower: int
) -> None:
    task_limit = (own[0] - lower, own[1])
    spawner = Spawner(task_limit)
    spawned = spawner.spawn(("sh", "-c", "grüße"), MARK)
    spawner.close()
    assert isinstance(spawned, Spawned)
    assert (spawned.pid, spawned.mark) == (PID, MARK)
    assert not os.get_blocking(spawned.stdout)
    assert not os.get_inheritable(spawned.stdout)
    os.close(spawned.stdout)
    assert spawn.limits == [(MARK, task_limit)]
    assert spawn.paths[0].endswith(b"/sh")
    assert spawn.arguments == [b"sh", b"-c", "grüße".encode()]
    assert spawn.setsid


# Hazard 15.
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.E2BIG, errno.EACCES])
@pytest.mark.parametrize("lower", [0, 1])
def test_what_cannot_be_started_says_why_and_leaves_nothing_behind(
    spawn: FakeSpawn, own: tuple[int, int], number: int, lower: int
) -> None:
    spawn.failure = OSError(number, os.strerror(number))
    spawner = Spawner((own[0] - lower, own[1]))
    failed = spawner.spawn(("/bin/sh",), MARK)
    spawner.close()
    assert isinstance(failed, NotStarted)
    assert failed.reason.startswith(f"cannot start /bin/sh: {os.strerror(number)}")


# Hazard 16.
def test_a_file_that_somebody_still_writes_is_worth_another_attempt(spawn: FakeSpawn, own: tuple[int, int]) -> None:
    spawn.failure = OSError(errno.ETXTBSY, "Text file busy")
    spawner = Spawner(own)
    busy = spawner.spawn(("/bin/sh",), MARK)
    spawner.close()
    assert busy == Busy("cannot start /bin/sh: Text file busy")


def test_what_is_nowhere_is_not_tried(own: tuple[int, int], spawn: FakeSpawn) -> None:
    spawner = Spawner(own)
    failed = spawner.spawn(("no-such-program",), MARK)
    spawner.close()
    assert failed == NotStarted("cannot start no-such-program: No such file or directory in PATH")
    assert spawn.paths == []


# Hazard 15.
@pytest.mark.usefixtures("spawn")
def test_without_a_descriptor_for_a_pipe_it_is_not_started_and_says_so(
    own: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    spawner = Spawner(own)
    monkeypatch.setattr(os, "pipe2", refuse)
    failed = spawner.spawn(("/bin/sh",), MARK)
    spawner.close()
    assert failed == NotStarted("cannot start /bin/sh: Too many open files")


def test_the_agent_takes_all_the_descriptors_that_it_may(own: tuple[int, int]) -> None:
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
def test_a_hard_limit_below_the_marks_is_found(monkeypatch: pytest.MonkeyPatch, hard: int, too_low: int | None) -> None:
    monkeypatch.setattr(resource, "getrlimit", {RLIMIT_LOCKS: (0, hard)}.__getitem__)
    assert mark_limit() == too_low
