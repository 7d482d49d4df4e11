"""The limits around a spawn, also if the agent's own have been changed from outside meanwhile."""

import resource
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from execwire.adapters.linux.timer_slack import SECOND_MARKS, TimerSlack
from execwire.adapters.subprocess.spawn.limits import RLIMIT_LOCKS, TaskLimits, at_most

NOFILE = resource.RLIMIT_NOFILE
FREE = resource.RLIM_INFINITY
MARK = 7
Limits = tuple[int, int]


@dataclass
class FakeKernel:
    """The limits of a process that may or may not raise its hard limits."""

    privileged: bool
    limits: dict[int, Limits] = field(default_factory=lambda: {RLIMIT_LOCKS: (FREE, FREE), NOFILE: (9000, 9000)})

    def getrlimit(self, number: int) -> Limits:
        return self.limits[number]

    def setrlimit(self, number: int, limits: Limits) -> None:
        if _height(limits[0]) > _height(limits[1]):
            raise ValueError("current limit exceeds maximum limit")
        if not self.privileged and _height(limits[1]) > _height(self.limits[number][1]):
            raise ValueError("not allowed to raise maximum limit")
        self.limits[number] = limits

    def prlimit(self, _: int, number: int, limits: Limits) -> Limits:
        before = self.limits[number]
        try:
            self.setrlimit(number, limits)
        except ValueError as error:
            raise PermissionError from error
        return before


def _height(limit: int) -> float:
    return float("inf") if limit == FREE else limit


@pytest.fixture(params=[True, False], ids=["privileged", "ordinary"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    kernel = FakeKernel(privileged=request.param)
    for name in ("getrlimit", "setrlimit", "prlimit"):
        monkeypatch.setattr(resource, name, getattr(kernel, name))
    return kernel


def during_spawn(limits: TaskLimits, kernel: FakeKernel) -> tuple[int, Limits]:
    """Return what a child would inherit; the agent's own limits are restored in any case."""
    try:
        limits.set(MARK)
        return kernel.limits[RLIMIT_LOCKS][0], kernel.limits[NOFILE]
    finally:
        limits.restore()


def test_child_gets_the_mark_and_the_limits_of_its_task(kernel: FakeKernel) -> None:
    before = dict(kernel.limits)
    limits = TaskLimits((1024, 9000))
    assert during_spawn(limits, kernel) == (MARK, (1024, 9000))
    assert kernel.limits[NOFILE] == before[NOFILE]
    limits.close()
    assert kernel.limits == before


def test_tasks_get_what_is_still_allowed_after_the_agents_limits_are_lowered(kernel: FakeKernel) -> None:
    limits = TaskLimits((5000, 9000))
    kernel.limits[NOFILE] = (1024, 4096)
    for _ in range(3):
        assert during_spawn(limits, kernel) == (MARK, (4096, 4096))
        assert kernel.limits[NOFILE] == (1024, 4096)
        assert limits.descriptors_now() == (4096, 4096)


def test_tasks_get_their_own_limits_again_after_the_agents_are_raised_again(kernel: FakeKernel) -> None:
    limits = TaskLimits((5000, 9000))
    kernel.limits[NOFILE] = (1024, 4096)
    during_spawn(limits, kernel)
    kernel.limits[NOFILE] = (9000, 9000)
    assert during_spawn(limits, kernel) == (MARK, (5000, 9000))
    assert kernel.limits[NOFILE] == (9000, 9000)


def test_hard_limit_of_locks_that_still_allows_the_mark_is_kept(kernel: FakeKernel) -> None:
    limits = TaskLimits((9000, 9000))
    kernel.limits[RLIMIT_LOCKS] = (50, 100)
    for _ in range(2):
        assert during_spawn(limits, kernel) == (MARK, (9000, 9000))
        assert kernel.limits[RLIMIT_LOCKS] == (MARK, 100)
    limits.close()
    assert kernel.limits[RLIMIT_LOCKS] == (50, 100)


def test_task_that_cannot_be_marked_is_not_started(kernel: FakeKernel) -> None:
    limits = TaskLimits((9000, 9000))
    kernel.limits[RLIMIT_LOCKS] = (3, 3)
    for _ in range(2):
        with pytest.raises(OSError, match="has been lowered"):
            during_spawn(limits, kernel)
        assert kernel.limits[RLIMIT_LOCKS] == (3, 3)


def test_agent_keeps_at_least_its_limit_after_the_hard_limit_was_raised(kernel: FakeKernel) -> None:
    limits = TaskLimits((1024, 9000))
    kernel.limits[NOFILE] = (9000, 20_000)
    for _ in range(3):
        assert during_spawn(limits, kernel) == (MARK, (1024, 9000))
        assert kernel.limits[NOFILE] == (9000, 20_000 if kernel.privileged else 9000)


@pytest.mark.parametrize(
    ("wanted", "hard", "allowed"),
    [
        ((10, 20), FREE, (10, 20)),
        ((10, 20), 15, (10, 15)),
        ((10, 20), 5, (5, 5)),
        ((FREE, FREE), 15, (15, 15)),
        ((10, FREE), 15, (10, 15)),
        ((FREE, FREE), FREE, (FREE, FREE)),
    ],
)
def test_limits_are_reduced_to_the_hard_limit(wanted: Limits, hard: int, allowed: Limits) -> None:
    assert at_most(wanted, hard) == allowed


def test_task_gets_a_second_mark_and_close_restores_the_threads_own_slack() -> None:
    own = int(Path("/proc/self/timerslack_ns").read_text())
    slack = TimerSlack(own)
    limits = TaskLimits(resource.getrlimit(NOFILE), slack)
    limits.set(SECOND_MARKS + 3)
    limits.restore()
    assert int(Path("/proc/self/timerslack_ns").read_text()) == limits.slack_of(SECOND_MARKS + 3) == own + 3
    limits.close()
    assert int(Path("/proc/self/timerslack_ns").read_text()) == own


def test_slack_is_unchanged_without_a_second_mark() -> None:
    limits = TaskLimits(resource.getrlimit(NOFILE))
    before = Path("/proc/self/timerslack_ns").read_text()
    limits.set(3)
    limits.restore()
    assert (limits.slack_of(3), Path("/proc/self/timerslack_ns").read_text()) == (0, before)
