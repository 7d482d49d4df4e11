"""What a process does from its fork in the starter until it executes the task's program, run in this process."""

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
from execwire.adapters.subprocess.spawn.task_process import BUSY_RETRY_SECONDS, Reporter, become_task

MARK = 7
STDOUT = 9999
DUP2 = os.dup2
ENVIRONMENT = {b"A": b"1"}


@dataclass
class FakeChannel:
    """The worker's end; it responds with GO unless `response` is changed."""

    response: bytes = GO
    reports: list[bytes] = field(default_factory=list[bytes])

    def send(self, data: bytes, _: int) -> int:
        self.reports.append(data)
        return len(data)

    def recv(self, _: int) -> bytes:
        return self.response


@dataclass
class ForkedProcess:
    """The changes that the process made to itself, and how each attempt to execute ends."""

    channel: FakeChannel = field(default_factory=FakeChannel)
    reporter: Reporter = field(init=False)
    limits: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    executed: list[tuple[bytes, list[bytes], dict[bytes, bytes]]] = field(
        default_factory=list[tuple[bytes, list[bytes], dict[bytes, bytes]]]
    )
    failures: list[int] = field(default_factory=list[int])
    pauses: list[float] = field(default_factory=list[float])
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
def process(monkeypatch: pytest.MonkeyPatch) -> ForkedProcess:
    process = ForkedProcess()
    monkeypatch.setattr(os, "execve", process.execve)
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(os, "dup2", process.dup2)
    monkeypatch.setattr(time, "sleep", process.pauses.append)
    monkeypatch.setattr(resource, "setrlimit", process.limits.__setitem__)
    return process


def test_process_is_marked_and_waits_for_go_before_the_lookup(process: ForkedProcess) -> None:
    process.channel.response = b""
    process.start("/bin/true")
    assert process.channel.reports == [PROCESS + str(os.getpid()).encode()]
    assert process.limits[RLIMIT_LOCKS][0] == MARK
    assert process.executed == []


def test_ordered_program_is_executed_and_reported(process: ForkedProcess) -> None:
    process.start("sh", "/nonexistent:/bin")
    assert process.executed == [(b"/bin/sh", [b"argument"], ENVIRONMENT)]
    assert process.duplicated == [(STDOUT, 1)]
    assert process.limits[resource.RLIMIT_NOFILE] == (50, 100)
    program = next(Program.decoded(r[1:]) for r in process.channel.reports if r[:1] == PROGRAM)
    assert (program.path, program.absent, program.files) == (b"/bin/sh", (b"/nonexistent/sh",), (b"/bin/sh",))
    assert process.failure() == (b"/bin/sh", "Operation not permitted")


def test_report_of_a_script_lists_all_files_that_the_kernel_opens(process: ForkedProcess, tmp_path: Path) -> None:
    path = made(tmp_path / "script", "#!/bin/sh\n")
    process.start(path)
    program = next(Program.decoded(r[1:]) for r in process.channel.reports if r[:1] == PROGRAM)
    assert program.files == (path.encode(), b"/bin/sh")


@pytest.mark.parametrize("name", ["/proc/self/exe", "tool"])
def test_program_that_is_not_local_or_late_in_the_path_is_not_reported(
    process: ForkedProcess, tmp_path: Path, name: str
) -> None:
    made(tmp_path / "tool", "#!/bin/sh\n")
    process.start(name, ":".join(["/nonexistent"] * 17 + [str(tmp_path)]))
    assert len(process.executed) == 1
    assert [report for report in process.channel.reports if report[:1] == PROGRAM] == []


def test_program_after_a_skipped_file_in_the_path_is_not_reported(process: ForkedProcess, tmp_path: Path) -> None:
    made(tmp_path / "early" / "tool", "#!/bin/sh\n", 0o644)
    late = made(tmp_path / "late" / "tool", "#!/bin/sh\n")
    process.start("tool", f"{tmp_path}/early:{tmp_path}/late")
    assert [path for path, *_ in process.executed] == [late.encode()]
    assert [report for report in process.channel.reports if report[:1] == PROGRAM] == []


# Hazard 16.
def test_file_that_is_open_for_writing_is_tried_again_for_a_while(process: ForkedProcess) -> None:
    process.failures = [errno.ETXTBSY] * 3
    process.start("/bin/sh")
    assert len(process.executed) == 4
    assert process.pauses == list(BUSY_RETRY_SECONDS[:3])


def test_file_that_stays_busy_is_refused_with_the_reason(process: ForkedProcess) -> None:
    process.failures = [errno.ETXTBSY] * 20
    process.start("/bin/sh")
    assert process.failure() == (b"/bin/sh", "Text file busy")
    assert process.pauses == list(BUSY_RETRY_SECONDS)


def test_missing_program_is_reported_by_its_name(process: ForkedProcess) -> None:
    process.start("no-such-program")
    assert process.failure() == (b"no-such-program", "No such file or directory in PATH")
    assert process.executed == []


def test_path_that_is_too_long_for_a_report_is_omitted(process: ForkedProcess) -> None:
    process.failures = [errno.ENAMETOOLONG]
    process.start("/" + "x" * 100_000)
    assert process.failure() == (b"", "File name too long")
