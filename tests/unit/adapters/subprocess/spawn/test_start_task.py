"""What a process does from its fork in the starter until it is the task's program, played in this process."""

import _socket
import errno
import marshal
import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from programs import made

from execwire.adapters.subprocess.spawn.limits import RLIMIT_LOCKS
from execwire.adapters.subprocess.spawn.start_order import FAILED, GO, PROCESS, PROGRAM, Program, StartOrder
from execwire.adapters.subprocess.spawn.start_task import BUSY_RETRY_SECONDS, Reporter, become_task

MARK = 7
STDOUT = 9999
DUP2 = os.dup2
ENVIRONMENT = {b"A": b"1"}


@dataclass
class FakeChannel:
    """The worker, which lets the process go on unless told otherwise."""

    answer: bytes = GO
    reports: list[bytes] = field(default_factory=list[bytes])

    def send(self, data: bytes, _: int) -> int:
        self.reports.append(data)
        return len(data)

    def recv(self, _: int) -> bytes:
        return self.answer


@dataclass
class Played:
    """What the process did to itself, and how each attempt to execute ends."""

    channel: FakeChannel = field(default_factory=FakeChannel)
    reporter: Reporter = field(init=False)
    limits: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    executed: list[tuple[bytes, list[bytes], dict[bytes, bytes]]] = field(
        default_factory=list[tuple[bytes, list[bytes], dict[bytes, bytes]]]
    )
    failures: list[int] = field(default_factory=list[int])
    paused: list[float] = field(default_factory=list[float])
    duplicated: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __post_init__(self) -> None:
        self.reporter = Reporter(cast("_socket.socket", self.channel))

    def execve(self, path: bytes, arguments: list[bytes], environment: dict[bytes, bytes]) -> None:
        self.executed.append((path, arguments, environment))
        number = self.failures.pop(0) if self.failures else errno.EPERM
        raise OSError(number, os.strerror(number))

    def dup2(self, source: int, target: int, inheritable: bool = True) -> int:  # noqa: FBT001, FBT002 -- as dup2
        if source != STDOUT:
            return DUP2(source, target, inheritable)  # pytest's own
        self.duplicated.append((source, target))
        return target

    def failure(self) -> tuple[bytes, str]:
        kind, body = self.channel.reports[-1][:1], self.channel.reports[-1][1:]
        assert kind == FAILED
        path, reason = marshal.loads(body)  # noqa: S302 -- of the code under test
        return path, reason

    def start(self, name: str, search_path: str = "/nonexistent") -> None:
        order = StartOrder(name.encode(), b"argument", ENVIRONMENT, search_path.encode(), mark=MARK, limits=(50, 100))
        become_task(self.reporter, STDOUT, order.to_file(), os.getpid())


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    monkeypatch.setattr(os, "execve", played.execve)
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(os, "dup2", played.dup2)
    monkeypatch.setattr(time, "sleep", played.paused.append)
    monkeypatch.setattr(resource, "setrlimit", played.limits.__setitem__)
    return played


def test_process_is_marked_and_waits_for_go_before_the_lookup(played: Played) -> None:
    played.channel.answer = b""
    played.start("/bin/true")
    assert played.channel.reports == [PROCESS + str(os.getpid()).encode()]
    assert played.limits[RLIMIT_LOCKS][0] == MARK
    assert played.executed == []


def test_ordered_program_is_executed_and_reported(played: Played) -> None:
    played.start("sh", "/nonexistent:/bin")
    assert played.executed == [(b"/bin/sh", [b"argument"], ENVIRONMENT)]
    assert played.duplicated == [(STDOUT, 1)]
    assert played.limits[resource.RLIMIT_NOFILE] == (50, 100)
    program = next(Program.decoded(r[1:]) for r in played.channel.reports if r[:1] == PROGRAM)
    assert (program.path, program.absent, program.files) == (b"/bin/sh", (b"/nonexistent/sh",), (b"/bin/sh",))
    assert played.failure() == (b"/bin/sh", "Operation not permitted")


def test_report_of_a_script_lists_all_files_that_the_kernel_opens(played: Played, tmp_path: Path) -> None:
    path = made(tmp_path / "script", "#!/bin/sh\n")
    played.start(path)
    program = next(Program.decoded(r[1:]) for r in played.channel.reports if r[:1] == PROGRAM)
    assert program.files == (path.encode(), b"/bin/sh")


@pytest.mark.parametrize("name", ["/proc/self/exe", "tool"])
def test_program_that_is_not_local_or_late_in_the_path_is_not_reported(
    played: Played, tmp_path: Path, name: str
) -> None:
    made(tmp_path / "tool", "#!/bin/sh\n")
    played.start(name, ":".join(["/nonexistent"] * 17 + [str(tmp_path)]))
    assert len(played.executed) == 1
    assert [report for report in played.channel.reports if report[:1] == PROGRAM] == []


def test_program_after_a_skipped_file_in_the_path_is_not_reported(played: Played, tmp_path: Path) -> None:
    made(tmp_path / "early" / "tool", "#!/bin/sh\n", 0o644)
    late = made(tmp_path / "late" / "tool", "#!/bin/sh\n")
    played.start("tool", f"{tmp_path}/early:{tmp_path}/late")
    assert [path for path, *_ in played.executed] == [late.encode()]
    assert [report for report in played.channel.reports if report[:1] == PROGRAM] == []


# Hazard 16.
def test_file_that_is_open_for_writing_is_tried_again_for_a_while(played: Played) -> None:
    played.failures = [errno.ETXTBSY] * 3
    played.start("/bin/sh")
    assert len(played.executed) == 4
    assert played.paused == list(BUSY_RETRY_SECONDS[:3])


def test_file_that_stays_busy_is_refused_with_the_reason(played: Played) -> None:
    played.failures = [errno.ETXTBSY] * 20
    played.start("/bin/sh")
    assert played.failure() == (b"/bin/sh", "Text file busy")
    assert played.paused == list(BUSY_RETRY_SECONDS)


def test_missing_program_is_reported_by_its_name(played: Played) -> None:
    played.start("no-such-program")
    assert played.failure() == (b"no-such-program", "No such file or directory in PATH")
    assert played.executed == []


def test_path_that_is_too_long_for_a_report_is_omitted(played: Played) -> None:
    played.failures = [errno.ENAMETOOLONG]
    played.start("/" + "x" * 100_000)
    assert played.failure() == (b"", "File name too long")
