"""Starts a command with nothing of the agent about it: own session, own stdout, default signals, its own limits."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from ....domain.outcome import NotStarted
from ...linux.marks import MARKS
from ...linux.timer_slack import TimerSlack
from .known import KnownPrograms
from .limits import RLIMIT_LOCKS, Limits, TaskLimits
from .start import QUICK_SECONDS, Start
from .start_failure import cannot_start
from .start_order import Program, StartOrder
from .start_task import PROBE_FLAGS

RESETTABLE_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""All of them: Python and nohup(1) leave some ignored. Naming those alone is slower, by a tenth of the spawn: what is
not named, glibc's posix_spawn(3) first looks up and then resets, two system calls a signal instead of one."""


@dataclass(slots=True)
class Spawned:
    """A process that leads a session and a group of its own, the reading end of its stdout, not blocking, its mark.

    It is the program already, or is about to become it through `start`.
    """

    pid: int
    stdout: int
    mark: int
    start: Start | None = None


_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""What another way to start would meet too."""


TRIED_SECONDS = 0.005
"""How long a file that could be opened is not tried again: at many starts a second, trying each time costs 1 to 2 %."""


def raise_descriptor_limit() -> tuple[int, int]:
    """Raise the soft limit of open files to the hard one; return what it was, for tasks (getrlimit(2))."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def insufficient_mark_limit() -> int | None:
    """Return up to which number tasks can be marked where that is too low a one, which their hard RLIMIT_LOCKS says."""
    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    return None if hard == resource.RLIM_INFINITY or hard >= MARKS else hard


def set_descriptors_cloexec() -> None:
    """Let no task inherit what the agent was started with: fill 0, 1 and 2, close the others at exec.

    Python opens everything close-on-exec by itself (PEP 446); what a service manager or a shell left open is not.
    """
    for standard in (0, 1, 2):
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for entry in Path("/proc/self/fd").iterdir():
        descriptor = int(entry.name)
        if descriptor > 2:  # noqa: PLR2004 -- the standard ones are 0, 1 and 2
            try:
                os.set_inheritable(descriptor, False)  # noqa: FBT003 -- its only form
            except OSError:
                continue  # the descriptor of the listing itself, closed by now


class Spawner:
    """Starts on the event loop what is known to be quick, with what is the same for all tasks; orders the rest."""

    def __init__(
        self, descriptor_limit: Limits, environment: dict[bytes, bytes], slack: TimerSlack | None = None
    ) -> None:
        """Tasks get `descriptor_limit` of RLIMIT_NOFILE and this environment, encoded once: that saves 40 us a task.

        They bear a second mark in `slack`, if there is one.
        """
        self._environment = environment
        self._search_path = environment.get(b"PATH", os.defpath.encode())
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._limits = TaskLimits(descriptor_limit, slack)
        self._known = KnownPrograms()

    def spawn(self, command: tuple[str, ...], mark: int) -> Spawned | NotStarted | None:
        """Start `command`; its stdin is at end-of-file, its stderr discarded. None: it has to go through the starter.

        It and all that it starts carry `mark` in their soft limit RLIMIT_LOCKS.
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
            # Under a lease, gone, or something is short: off the event loop it is found out what.
            self._known.forget(command[0])
            return None
        try:
            return self._spawn(program.path, command, mark, now)
        except OSError as error:
            if error.errno in _SHORTAGES:
                return NotStarted(cannot_start(command[0].encode(), error.strerror or str(error)))
            # It is not what it was.
            self._known.forget(command[0])
            return None

    def order(self, command: tuple[str, ...], mark: int) -> StartOrder:
        """Return what the starter has to know to start `command` in the same way."""
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
        """Return what is to be told the program that was executed quickly for `name`."""
        return lambda program: self._known.learn(name, program)

    def close(self) -> None:
        """Close what is shared by all tasks."""
        self._known.close()
        self._limits.close()
        os.close(self._null)

    def _spawn(self, path: bytes, command: tuple[str, ...], mark: int, began: float) -> Spawned:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(reading, False)
            arguments = [argument.encode() for argument in command]
            try:
                self._limits.set(mark)
                pid = os.posix_spawn(
                    path,
                    arguments,
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
                self._limits.restore()
            if monotonic() - began > QUICK_SECONDS:
                self._known.forget(command[0])
            return Spawned(pid, reading, mark)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
