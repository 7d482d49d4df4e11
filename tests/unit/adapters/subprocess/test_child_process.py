"""Exit, signals and reaping of a leader, in the only safe order, with a fake kernel."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from execwire.adapters.subprocess import child_process
from execwire.adapters.subprocess.child_process import ChildProcess
from execwire.testing import FakeClock

PID = 4711


@dataclass
class FakeKernel:
    """The part of the module os that `child_process` uses, for one child."""

    ended: bool = False
    status: int = 0
    refusal: OSError | None = None
    calls: list[str] = field(default_factory=list[str])

    WEXITED, WNOHANG, WNOWAIT, P_PID = os.WEXITED, os.WNOHANG, os.WNOWAIT, os.P_PID
    waitstatus_to_exitcode = staticmethod(os.waitstatus_to_exitcode)

    def waitid(self, kind: int, pid: int, options: int) -> object:
        assert (kind, pid, options) == (os.P_PID, PID, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self.calls.append("check")
        return object() if self.ended else None

    def killpg(self, group: int, number: int) -> None:
        assert (group, number) == (PID, signal.SIGKILL)
        self.calls.append("kill")
        if self.refusal is not None:
            raise self.refusal

    def waitpid(self, pid: int, options: int) -> tuple[int, int]:
        assert (pid, options) == (PID, 0)
        self.calls.append("reap")
        return pid, self.status


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKernel]:
    kernel = FakeKernel()
    with monkeypatch.context() as patch:
        patch.setattr(child_process, "os", kernel)
        yield kernel


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_end_is_timestamped_when_it_is_first_seen(kernel: FakeKernel, clock: FakeClock) -> None:
    child = ChildProcess(PID, clock)
    assert not child.has_ended()
    kernel.ended = True
    clock.advance(5)
    assert child.has_ended()
    seen = clock.monotonic
    clock.advance(5)
    assert child.has_ended()
    assert child.ended_at == seen
    assert kernel.calls == ["check", "check"]


# Hazard 8.
def test_group_is_not_signalled_after_its_leader_was_reaped(kernel: FakeKernel, clock: FakeClock) -> None:
    child = ChildProcess(PID, clock)
    child.signal_group(signal.SIGKILL)
    child.reap()
    child.signal_group(signal.SIGKILL)
    assert kernel.calls == ["kill", "reap"]


# Hazard 7.
@pytest.mark.parametrize("refusal", [PermissionError(), ProcessLookupError()])
def test_group_that_cannot_be_signalled_raises_no_error(kernel: FakeKernel, clock: FakeClock, refusal: OSError) -> None:
    kernel.refusal = refusal
    ChildProcess(PID, clock).signal_group(signal.SIGKILL)
    assert kernel.calls == ["kill"]


@pytest.mark.parametrize(("status", "code"), [(0, 0), (7 << 8, 7), (255 << 8, 255), (signal.SIGSEGV, -11)])
def test_exit_code_is_derived_from_the_wait_status(
    kernel: FakeKernel, clock: FakeClock, status: int, code: int
) -> None:
    kernel.status = status
    child = ChildProcess(PID, clock)
    child.reap()
    assert child.exit_code == code
