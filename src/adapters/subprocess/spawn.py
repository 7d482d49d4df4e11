"""Starts a command with nothing of the agent about it: own session, own stdout, default signals, its own limits."""

import errno
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from ...domain.outcome import NotStarted
from .lookup import explain, find_executable
from .procfs import RLIMIT_LOCKS

_RESETTABLE_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""All of them: Python and nohup(1) leave some ignored. Naming those alone is slower, by a tenth of the spawn: what is
not named, glibc's posix_spawn(3) first looks up and then resets, two system calls a signal instead of one."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that leads a session and a group of its own, the reading end of its stdout, not blocking, its mark."""

    pid: int
    stdout: int
    mark: int


@dataclass(frozen=True, slots=True)
class Busy(NotStarted):
    """ETXTBSY: somebody still has the file open for writing, which is over in a moment: worth another attempt."""


MARKS = 2**31
"""So many tasks can be told apart by their marks."""


def raise_descriptor_limit() -> tuple[int, int]:
    """Raise the soft limit of open files to the hard one; return what it was, for tasks (getrlimit(2))."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def mark_limit() -> int | None:
    """Return up to which number tasks can be marked where that is too low a one, which their hard RLIMIT_LOCKS says."""
    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    return None if hard == resource.RLIM_INFINITY or hard >= MARKS else hard


def shield_descriptors() -> None:
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
    """Spawns with what is the same for all tasks: the agent's environment, /dev/null, limits, signals."""

    def __init__(self, descriptor_limit: tuple[int, int]) -> None:
        """Read the environment and the signals as they are now; `descriptor_limit` is what tasks get of RLIMIT_NOFILE.

        Encoding the environment once saves 40 us a task.
        """
        self._environment = dict(os.environb)
        self._search_path = self._environment.get(b"PATH", os.defpath.encode())
        self._null = os.open(os.devnull, os.O_RDWR)
        self._task_limit = descriptor_limit
        self._own_locks = resource.getrlimit(RLIMIT_LOCKS)
        self._own_limit = resource.getrlimit(resource.RLIMIT_NOFILE)

    def spawn(self, command: tuple[str, ...], mark: int) -> Spawned | NotStarted:
        """Start `command`; its stdin is at end-of-file, its stderr discarded. May be worth another attempt: Busy.

        It and all that it starts carry `mark` in their soft limit RLIMIT_LOCKS.
        """
        path = command[0].encode()
        try:
            path = find_executable(path, self._search_path)
            reading, writing = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            return NotStarted(explain(error, path))
        try:
            os.set_blocking(reading, False)
            pid = self._posix_spawn(path, [argument.encode() for argument in command], writing, mark)
        except OSError as error:
            os.close(reading)
            return (Busy if error.errno == errno.ETXTBSY else NotStarted)(explain(error, path))
        finally:
            os.close(writing)
        return Spawned(pid, reading, mark)

    def close(self) -> None:
        """Close what is shared by all tasks."""
        os.close(self._null)

    def _posix_spawn(self, path: bytes, arguments: list[bytes], stdout: int, mark: int) -> int:
        actions = [
            (os.POSIX_SPAWN_DUP2, self._null, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, self._null, 2),
        ]
        # A child inherits the limits of the moment, and posix_spawn cannot set them.
        resource.setrlimit(RLIMIT_LOCKS, (mark, self._own_locks[1]))
        try:
            if self._task_limit == self._own_limit:
                return self._spawn_now(path, arguments, actions)
            resource.setrlimit(resource.RLIMIT_NOFILE, self._task_limit)
            try:
                return self._spawn_now(path, arguments, actions)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._own_limit)
        finally:
            resource.setrlimit(RLIMIT_LOCKS, self._own_locks)

    def _spawn_now(self, path: bytes, arguments: list[bytes], actions: list[tuple[int, int, int]]) -> int:
        return os.posix_spawn(
            path,
            arguments,
            self._environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_RESETTABLE_SIGNALS,
        )
