"""The process that becomes a task's program, from its fork on: it may block on any file system, and holds up nobody."""

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
"""ETXTBSY: somebody still has the file open for writing, which is mostly over in a moment."""
MAX_ABSENT = 16
"""Places of the PATH before a program that are looked at for every start of it, on the event loop."""
PROBE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""A file under a lease is refused so instead of waited for (fcntl(2), F_SETLEASE)."""


class Reporter:
    """Says what comes of a start; to a worker that does not want to know any more it says nothing, and ends."""

    def __init__(self, channel: _socket.socket) -> None:
        """Report to `channel`, the starter's end."""
        self._channel = channel

    def report(self, kind: bytes, body: bytes) -> None:
        """Send a report; raises OSError where nobody wants it."""
        self._channel.send(kind + body, _socket.MSG_NOSIGNAL)

    def fail(self, path: bytes, reason: str) -> None:
        """Report why nothing was executed; a path that is too long for a report is left to the request's own name."""
        shown = path if len(path) < MAX_REPORT_BYTES // 2 else b""
        self.report(FAILED, marshal.dumps((shown, reason)))

    def announce(self) -> bool:
        """Say which process this is; return whether it is to go on."""
        self.report(PROCESS, str(os.getpid()).encode())
        return self._channel.recv(1) == GO


def become_task(reporter: Reporter, stdout: int, order_file: int, worker: int) -> None:
    """Become the program that is ordered; returns only if that failed, which has been reported then."""
    order = StartOrder.from_file(order_file)
    os.setsid()
    _take_limits_of(worker)
    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    resource.setrlimit(RLIMIT_LOCKS, (order.mark, hard))
    if order.slack:
        with open("/proc/self/timerslack_ns", "wb") as file:  # noqa: PTH123 -- as little is imported as can be
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
    # A task has the limits that the worker has now, not those of the moment in which the starter was started. The two
    # that the worker changes for a moment around its own spawns come with the order.
    for number in set(range(_LIMITS)) - {RLIMIT_LOCKS, resource.RLIMIT_NOFILE}:
        try:
            resource.setrlimit(number, resource.prlimit(worker, number))
        except (OSError, ValueError):
            continue  # not to be looked at, or lower here already


def _describe(path: bytes, order: StartOrder) -> Program | None:
    """Return what the worker needs for starting it by itself the next time, nothing where it should not."""
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
