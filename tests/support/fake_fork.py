"""A fake fork(2): the code of the child runs in the same process."""

import errno
import os
import signal
from typing import NoReturn

PID = 4711


class ExitedError(BaseException):
    """Raised instead of the exit of the process: no code after it runs."""


class FakeFork:
    """What `worker` uses of the module os; a fork returns `pid`, which is 0 for the worker's side."""

    read, write, close = staticmethod(os.read), staticmethod(os.write), staticmethod(os.close)
    set_blocking = staticmethod(os.set_blocking)

    def __init__(self, pid: int = PID) -> None:
        self.pid = pid
        self.fork_refusal: Exception | None = None
        # Whether fork duplicates the worker's ends of its pipes, and the duplicates.
        self.copying = False
        self.copies: list[int] = []
        self.watch_refusal: OSError | None = None
        # How many pipes can be opened.
        self.left = 2
        self.pipes: list[tuple[int, int]] = []
        self.ended: list[tuple[str, int, int]] = []
        self.blocked: set[int] = set()

    def fork(self) -> int:
        self.blocked = {*signal.pthread_sigmask(signal.SIG_BLOCK, ())}
        if self.fork_refusal is not None:
            raise self.fork_refusal
        if self.copying:
            self.copies = [os.dup(self.pipes[0][0]), os.dup(self.pipes[1][1])]
        return self.pid

    def pipe(self) -> tuple[int, int]:
        if len(self.pipes) == self.left:
            raise OSError(errno.EMFILE, "Too many open files")
        self.pipes.append(os.pipe())
        return self.pipes[-1]

    def pidfd_open(self, pid: int) -> int:
        assert pid == PID
        if self.watch_refusal is not None:
            raise self.watch_refusal
        return os.open(os.devnull, os.O_RDONLY)

    def _exit(self, status: int) -> NoReturn:
        raise ExitedError(status)

    def kill(self, pid: int, number: int) -> None:
        self.ended.append(("kill", pid, number))

    def waitpid(self, pid: int, options: int) -> None:
        self.ended.append(("wait", pid, options))
