"""The process that executes a task's program, from its fork on: if a file system blocks, only this waits."""

import _socket
import errno
import marshal
import os
import resource
import time

from .limits import RLIMIT_LOCKS, at_most
from .lookup import candidates, find_executable
from .mounts import MountTable
from .start_failure import describe_failure, interpreters
from .start_order import FAILED, GO, MAX_REPORT_BYTES, PROCESS, PROGRAM, Program, StartOrder

_LIMITS = 16
"""RLIM_NLIMITS of getrlimit(2)."""
BUSY_RETRY_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Pauses after ETXTBSY: a process has the file open for writing, most often only for a moment."""
MAX_ABSENT = 16
"""Paths before a program in the PATH that are checked at every start of it, on the event loop."""
PROBE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""With these, opening a file under a lease fails instead of waiting (fcntl(2), F_SETLEASE)."""


class Reporter:
    """Reports the progress of a start to the worker; if the worker has closed the channel, reporting raises OSError."""

    def __init__(self, channel: _socket.socket) -> None:
        """`channel` is the starter's end."""
        self._channel = channel

    def report(self, kind: bytes, body: bytes) -> None:
        """Send a report; raises OSError if the worker has closed the channel."""
        self._channel.send(kind + body, _socket.MSG_NOSIGNAL)

    def fail(self, path: bytes, reason: str) -> None:
        """Report why exec failed; instead of a path that is too long for a report, the name in the request is used."""
        shown = path if len(path) < MAX_REPORT_BYTES // 2 else b""
        self.report(FAILED, marshal.dumps((shown, reason)))

    def announce(self) -> bool:
        """Report the pid of this process; return whether it may continue."""
        self.report(PROCESS, str(os.getpid()).encode())
        return self._channel.recv(1) == GO


def become_task(reporter: Reporter, stdout: int, order_file: int, worker: int) -> None:
    """Execute the ordered program; returns only if that failed, after the failure was reported."""
    order = StartOrder.from_file(order_file)
    os.setsid()
    _take_limits_of(worker)
    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    resource.setrlimit(RLIMIT_LOCKS, (order.mark, hard))
    if order.slack:
        with open("/proc/self/timerslack_ns", "wb") as file:  # noqa: PTH123 -- pathlib is not imported
            file.write(b"%d" % order.slack)
    if not reporter.announce():
        return
    path = order.name
    try:
        path = find_executable(order.name, order.search_path)
        program = _describe(path, order)
        if program is not None:
            reporter.report(PROGRAM, program.encoded())
        os.dup2(stdout, 1)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, at_most(order.limits, hard))
        _execute(path, order)
    except OSError as error:
        reporter.fail(path, describe_failure(error, path))


def _execute(path: bytes, order: StartOrder) -> None:
    arguments = order.arguments.split(b"\0")
    for seconds in BUSY_RETRY_SECONDS:
        try:
            os.execve(path, arguments, order.environment)  # noqa: S606 -- what an agent that executes is for
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
        time.sleep(seconds)
    os.execve(path, arguments, order.environment)  # noqa: S606 -- as above


def _take_limits_of(worker: int) -> None:
    # A task gets the worker's present limits, not those at the start of the starter. The two limits that the worker
    # changes for a moment around its own spawns are part of the order.
    for number in set(range(_LIMITS)) - {RLIMIT_LOCKS, resource.RLIMIT_NOFILE}:
        try:
            resource.setrlimit(number, resource.prlimit(worker, number))
        except (OSError, ValueError):
            continue  # may not be read, or is lower here already


def _describe(path: bytes, order: StartOrder) -> Program | None:
    """Return what the worker needs to start it on the event loop the next time; None if it should not."""
    try:
        mounts = MountTable.now()
        absent: list[bytes] = []
        if b"/" not in order.name:
            for candidate in candidates(order.name, order.search_path):
                if candidate == path:
                    break
                if len(absent) == MAX_ABSENT or not mounts.is_local(candidate) or os.path.lexists(candidate):
                    return None
                absent.append(candidate)
        files: list[bytes] = []
        chain = interpreters(path)
        file: bytes | None = path
        while file is not None:
            if not mounts.is_local(file):
                return None
            os.close(os.open(file, PROBE_FLAGS))
            files.append(file)
            file = next(chain, None)
    except OSError:
        return None
    program = Program(path, tuple(absent), tuple(files))
    return program if len(program.encoded()) < MAX_REPORT_BYTES else None
