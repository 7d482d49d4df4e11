"""Checks before the agent listens that the system has what it needs, so that it fails with one line of text.

docs/requirements.md has the same as a table for operators. Each probe does only what the agent does later.
"""

import contextlib
import os
import resource
import select
import signal
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...adapters.linux import sock_diag
from ...adapters.linux.family import unknowable
from ...adapters.linux.procfs import RLIMIT_LOCKS
from ...adapters.linux.subreaper import become_subreaper
from ...adapters.subprocess.output.pipe_reader import PipeReader
from ...adapters.subprocess.spawn.posix import insufficient_mark_limit
from ..settings.descriptors import MIN_DESCRIPTORS, max_descriptors

_NULL_DEVICE = (1, 3)
"""Major and minor number, see null(4)."""
_SANDBOX = "allow it in the seccomp profile or the security module that forbids it"
_ABSENT = "/proc/self/absent"
"""A path that does not exist in any /proc."""


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement of the agent; `probe` raises OSError if it is not met."""

    what: str
    probe: Callable[[], object]
    advice: str


def missing(needs: Iterable[Need]) -> str | None:
    """Return one line that names the first unmet requirement, the reason and what to do; None if all are met."""
    for need in needs:
        try:
            need.probe()
        except (OSError, NotImplementedError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"needs {need.what}: {reason}; {need.advice}"
    return None


def _check_descriptors() -> None:
    limit = max_descriptors()
    if limit < MIN_DESCRIPTORS:
        raise OSError(f"the hard limit is {limit}")


def _check_null() -> None:
    status = Path(os.devnull).stat()
    if not stat.S_ISCHR(status.st_mode) or (os.major(status.st_rdev), os.minor(status.st_rdev)) != _NULL_DEVICE:
        raise OSError("it is another kind of file")
    os.close(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))


def _check_procfs() -> None:
    for path in ("/proc/self/fd", "/proc/self/task"):
        next(Path(path).iterdir())


def _check_processes() -> None:
    reason = unknowable()
    if reason is not None:
        raise OSError(reason)


def _check_pidfd() -> None:
    pidfd = os.pidfd_open(os.getpid())
    try:
        signal.pidfd_send_signal(pidfd, 0)  # signal 0 only checks (kill(2))
        with contextlib.closing(select.epoll()) as epoll:
            epoll.register(pidfd, select.EPOLLIN)
    finally:
        os.close(pidfd)


def _check_waiting() -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, os.getpid(), os.WEXITED | os.WNOHANG | os.WNOWAIT)


def _check_spawning() -> None:
    with contextlib.suppress(FileNotFoundError):
        # Only execve(2) may fail: the path does not exist.
        os.posix_spawn(_ABSENT, [_ABSENT], {}, setsid=True, setsigmask=(), setsigdef=(signal.SIGUSR1,))


def _check_marks() -> None:
    limit = insufficient_mark_limit()
    if limit is not None:
        raise OSError(f"its hard limit is only {limit}")
    soft, hard = resource.getrlimit(RLIMIT_LOCKS)
    resource.setrlimit(RLIMIT_LOCKS, (1, hard))
    resource.setrlimit(RLIMIT_LOCKS, (soft, hard))


def _check_events() -> None:
    os.close(os.eventfd(0, os.EFD_CLOEXEC))


def _check_splice() -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(writing, b"x")
        with contextlib.closing(PipeReader()) as reader:
            reader.read(reading)
    finally:
        os.close(reading)
        os.close(writing)


def _check_sock_diag() -> None:
    refusal = sock_diag.probe()
    if refusal is not None:
        raise OSError(refusal)


NEEDS = (
    Need(
        f"a limit of {MIN_DESCRIPTORS} open files (RLIMIT_NOFILE)",
        _check_descriptors,
        "raise it (ulimit -n, or LimitNOFILE= for systemd)",
    ),
    Need("/dev/null", _check_null, "create it again (mknod -m 666 /dev/null c 1 3)"),
    Need("/proc", _check_procfs, "mount it (mount -t proc proc /proc)"),
    Need("to see the processes that tasks start", _check_processes, "without it they could not be killed"),
    Need("pidfd_open(2) with pidfd_send_signal(2)", _check_pidfd, f"run Linux 5.4 or newer, or {_SANDBOX}"),
    Need("waitid(2) with WNOWAIT", _check_waiting, _SANDBOX),
    Need("prctl(PR_SET_CHILD_SUBREAPER)", become_subreaper, _SANDBOX),
    Need("eventfd(2)", _check_events, _SANDBOX),
    Need("splice(2)", _check_splice, _SANDBOX),
    Need("posix_spawn(3) with a new session", _check_spawning, _SANDBOX),
    Need(
        "the limit of file locks (RLIMIT_LOCKS), by which tasks are marked",
        _check_marks,
        "start the agent with it unlimited (ulimit -H -x unlimited, or LimitLOCKS=infinity for systemd)",
    ),
)
"""In the order of the checks: without descriptors no other check works."""

SOCK_DIAG = Need(
    "sock_diag(7), by which the user of a TCP client is known",
    _check_sock_diag,
    "load the kernel module tcp_diag, allow AF_NETLINK (RestrictAddressFamilies= of systemd, seccomp), or allow"
    " all clients that can reach the port (--allow-user '*')",
)
"""Required unless all users are allowed over TCP."""
