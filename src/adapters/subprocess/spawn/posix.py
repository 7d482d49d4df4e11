"""Starts a command that inherits nothing else of the agent: own session, own stdout, default signals, own limits."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import final

import msgspec

from ....domain.outcome import NotStarted
from ...linux.marks import MARKS
from ...linux.timer_slack import TimerSlack
from .known import KnownPrograms
from .limits import RLIMIT_LOCKS, Limits, TaskLimits
from .start import QUICK_SECONDS, Start
from .start_failure import cannot_start
from .start_order import Program, StartOrder
from .task_process import PROBE_FLAGS

RESETTABLE_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""All signals: Python and nohup(1) leave some ignored. Naming only those is slower, by a tenth of the spawn: glibc's
posix_spawn(3) first reads and then resets a signal that is not named, two system calls instead of one."""


@final
class Spawned(msgspec.Struct):
    """A process that leads its own session and group; the read end of its stdout; its mark.

    It executes the program already, or will do so through `start`. The pipe is in blocking mode: it is read only by
    splice(2) with SPLICE_F_NONBLOCK.
    """

    pid: int
    stdout: int
    mark: int
    start: Start | None = None


_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Errors that a start through the starter would meet too."""


TRIED_SECONDS = 0.005
"""A file that could be opened is not opened again for this long: at many starts a second, each time costs 1 to 2 %."""


def raise_descriptor_limit() -> tuple[int, int]:
    """Raise the soft limit of open files to the hard one; return the previous limits, for tasks (getrlimit(2))."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def insufficient_mark_limit() -> int | None:
    """Return the hard RLIMIT_LOCKS, which bounds the marks of tasks, if it is too low for them; otherwise None."""
    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    return None if hard == resource.RLIM_INFINITY or hard >= MARKS else hard


def set_descriptors_cloexec() -> None:
    """Keep tasks from inheriting the agent's initial descriptors: open 0, 1 and 2, set the others close-on-exec.

    Python opens everything close-on-exec (PEP 446), but a service manager or a shell may leave other descriptors open.
    """
    for standard in (0, 1, 2):
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    for entry in Path("/proc/self/fd").iterdir():
        descriptor = int(entry.name)
        if descriptor > 2:  # noqa: PLR2004 -- the standard ones are 0, 1 and 2
            try:
                os.set_inheritable(descriptor, False)  # noqa: FBT003 -- its only form
            except OSError:
                continue  # the descriptor of the directory listing itself, closed by now


class Spawner:
    """Starts commands on the event loop that are known to start quickly; makes start orders for all others."""

    def __init__(
        self, descriptor_limit: Limits, environment: dict[bytes, bytes], slack: TimerSlack | None = None
    ) -> None:
        """Tasks get `descriptor_limit` as RLIMIT_NOFILE and this environment, encoded once: that saves 40 us a task.

        They have a second mark in `slack`, unless that is None.
        """
        self._environment = environment
        self._search_path = environment.get(b"PATH", os.defpath.encode())
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._limits = TaskLimits(descriptor_limit, slack)
        self._known = KnownPrograms()

    def spawn(self, command: tuple[str, ...], mark: int) -> Spawned | NotStarted | None:
        """Start `command`; its stdin is at end-of-file, its stderr discarded. None: it must be started by the starter.

        It and all its descendants have `mark` as their soft limit RLIMIT_LOCKS.
        """
        program = self._known.get(command[0])
        if program is None:
            return None
        now = monotonic()
        try:
            for place in program.absent:
                if os.access(place, os.F_OK, follow_symlinks=False):
                    self._known.forget(command[0])
                    return None
            if now - program.tried_at > TRIED_SECONDS:
                for file in program.files:
                    os.close(os.open(file, PROBE_FLAGS))
                program.tried_at = now
        except OSError:
            # A lease, a missing file or a shortage: the starter finds out which, off the event loop.
            self._known.forget(command[0])
            return None
        try:
            return self._spawn(program.path, command, mark, now)
        except OSError as error:
            if error.errno in _SHORTAGES:
                return NotStarted(cannot_start(command[0].encode(), error.strerror or str(error)))
            # The program has changed.
            self._known.forget(command[0])
            return None

    def order(self, command: tuple[str, ...], mark: int) -> StartOrder:
        """Return the order for the starter to start `command` in the same way."""
        return StartOrder(
            name=command[0].encode(),
            arguments="\0".join(command).encode(),
            environment=self._environment,
            search_path=self._search_path,
            mark=mark,
            limits=self._limits.descriptors_now(),
            slack=self._limits.slack_of(mark),
        )

    def learner(self, name: str) -> Callable[[Program], None]:
        """Return a callback that takes the program that was executed quickly for `name`."""
        return lambda program: self._known.learn(name, program)

    def close(self) -> None:
        """Close the resources that all tasks share."""
        self._known.close()
        self._limits.close()
        os.close(self._null)

    def _spawn(self, path: bytes, command: tuple[str, ...], mark: int, began: float) -> Spawned:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                self._limits.set(mark)
                pid = os.posix_spawn(
                    path,
                    list(map(str.encode, command)),
                    self._environment,
                    file_actions=(
                        (os.POSIX_SPAWN_DUP2, self._null, 0),
                        (os.POSIX_SPAWN_DUP2, writing, 1),
                        (os.POSIX_SPAWN_DUP2, self._null, 2),
                    ),
                    setsid=True,
                    setsigmask=(),
                    setsigdef=RESETTABLE_SIGNALS,
                )
            finally:
                if self._limits.restorable:
                    self._limits.restore()
            if monotonic() - began > QUICK_SECONDS:
                self._known.forget(command[0])
            return Spawned(pid, reading, mark)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
