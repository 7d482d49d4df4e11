import errno
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from execwire.adapters.linux import procfs

DISCONNECTED = 2**22 + 1
"""Above the maximum pid (proc(5), pid_max)."""
THREADS = 17

Files = dict[str, bytes]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Contents of files under /proc, by path."""
    files: Files = {}

    def read(path: str) -> bytes | None:
        return files.get(path)

    monkeypatch.setattr(procfs, "_read", read)
    return files


def stat(name: bytes, state: str, threads: int = 1, parent: int = 42) -> bytes:
    fields = ["0"] * 50
    fields[0], fields[1], fields[THREADS] = state, str(parent), str(threads)
    return b"7 (" + name + b") " + " ".join(fields).encode() + b"\n"


@pytest.mark.parametrize("state", ["R", "S", "D", "T", "t", "I"])
def test_all_states_but_zombies_are_alive(files: Files, state: str) -> None:
    files["/proc/7/stat"] = stat(b"sleep", state)
    assert procfs.stat(7) == (True, 42)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_zombie_is_not_alive(files: Files, state: str) -> None:
    files["/proc/7/stat"] = stat(b"sleep", state)
    assert procfs.stat(7) == (False, 42)


# Hazard 5.
def test_process_of_which_only_the_first_thread_has_ended_is_alive(files: Files) -> None:
    files["/proc/7/stat"] = stat(b"sleep", "Z", threads=2)
    assert procfs.stat(7) == (True, 42)


@pytest.mark.parametrize("name", [b") Z 1 (", b"a b", b"\xff\n) R", b""])
def test_name_can_contain_any_bytes(files: Files, name: bytes) -> None:
    files["/proc/7/stat"] = stat(name, "S")
    assert procfs.stat(7) == (True, 42)


def no_prlimit(pid: int, limit: int) -> tuple[int, int]:
    assert limit == procfs.RLIMIT_LOCKS
    raise PermissionError(errno.EPERM, pid)


@pytest.mark.parametrize(("soft", "mark"), [("5", 5), ("0", 0), ("unlimited", procfs.NO_MARK)])
def test_mark_of_another_users_process_is_read_from_proc(
    files: Files, monkeypatch: pytest.MonkeyPatch, soft: str, mark: int
) -> None:
    monkeypatch.setattr(resource, "prlimit", no_prlimit)
    files["/proc/7/limits"] = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max cpu time              9                    unlimited            seconds   \n"
        f"Max file locks            {soft:<20} unlimited            locks     \n"
        "Max pending signals       8                    127374               signals   \n"
    ).encode()
    assert procfs.mark(7) == mark


def test_mark_that_is_not_shown_is_unknown(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "prlimit", no_prlimit)
    assert files == {}
    assert procfs.mark(7) is None


def test_mark_of_a_process_of_the_same_user_needs_no_proc(files: Files) -> None:
    with subprocess.Popen(("sleep", "600")) as child:
        resource.prlimit(child.pid, procfs.RLIMIT_LOCKS, (4711, resource.prlimit(child.pid, procfs.RLIMIT_LOCKS)[1]))
        assert procfs.mark(child.pid) == 4711
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # A zombie still has it.
        assert procfs.mark(child.pid) == 4711
    assert procfs.mark(child.pid) is None
    assert files == {}


def test_exit_is_detected_without_proc_and_without_reaping(files: Files) -> None:
    with subprocess.Popen(("sleep", "600")) as child:
        pidfd = os.pidfd_open(child.pid)
        assert not procfs.ended(pidfd)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert procfs.ended(pidfd)
    os.close(pidfd)
    assert files == {}


def test_missing_process_has_no_stat_mark_or_children() -> None:
    assert procfs.stat(DISCONNECTED) is None
    assert procfs.mark(DISCONNECTED) is None
    assert procfs.children(DISCONNECTED) == []


def test_children_of_every_thread_are_found(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(path: str) -> list[str]:
        assert path == "/proc/7/task"
        return ["7", "8"]

    monkeypatch.setattr(os, "listdir", threads)
    files["/proc/7/task/7/children"] = b"10 11 "
    files["/proc/7/task/8/children"] = b"12 "
    assert procfs.children(7) == [10, 11, 12]


def test_stat_and_mark_of_this_process_match_the_kernel() -> None:
    assert procfs.stat(os.getpid()) == (True, os.getppid())
    limits = Path("/proc/self/limits").read_text()
    assert (procfs.mark(os.getpid()) == procfs.NO_MARK) == ("file locks            unlimited" in limits)


# Hazard 15.
@pytest.mark.parametrize(("look", "unknown"), [(procfs.children, []), (procfs.stat, None)])
def test_open_failure_means_hidden_only_if_permission_is_denied(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[int], object], unknown: object
) -> None:
    errors = [PermissionError(), OSError(errno.EMFILE, "Too many open files")]

    def refuse(*_: object) -> None:
        raise errors[0]

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    assert look(os.getppid()) == unknown
    errors.pop(0)
    with pytest.raises(OSError, match="Too many open files"):
        look(os.getppid())


@pytest.mark.parametrize("error", [PermissionError(), FileNotFoundError()])
def test_unreadable_list_of_own_children_is_an_error(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def refuse(_: str) -> list[str]:
        raise error

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(type(error)):
        procfs.children(os.getpid())
