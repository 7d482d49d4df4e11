"""The messages between a worker and its starter: orders to start a program, and reports of each start.

Each start has its own channel, a socket pair that keeps message boundaries. Reports begin with one of the letters
below. End-of-file without FAILED means that the program was executed, since exec closes the channel.
The starter imports as little as possible, and so does this module: tasks wait for the starter to start.
"""

import marshal
import os

PROCESS, PROGRAM, FAILED = b"p", b"k", b"!"
"""Reports: the pid of the process that will execute the program; the program that was found; why exec failed."""
GO = b"g"
"""The worker's response to PROCESS: it watches that process now."""
MAX_REPORT_BYTES = 64 * 1024


class StartOrder:
    """What to execute: `environment` is the whole environment, `limits` the RLIMIT_NOFILE of tasks, soft and hard.

    `arguments` are separated by NUL: encoding a list of 100,000 would block the event loop for milliseconds.
    `slack` is the timer slack in nanoseconds, the second mark; 0: none.
    """

    __slots__ = ("arguments", "environment", "limits", "mark", "name", "search_path", "slack")

    def __init__(
        self,
        name: bytes,
        arguments: bytes,
        environment: dict[bytes, bytes],
        search_path: bytes,
        *,
        mark: int,
        limits: tuple[int, int],
        slack: int = 0,
    ) -> None:
        """`name` is looked up in `search_path`; the program and its descendants get `mark`."""
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.search_path = search_path
        self.mark = mark
        self.limits = limits
        self.slack = slack

    def to_file(self) -> int:
        """Return the descriptor of an anonymous file in memory that contains the order; raises OSError."""
        fields = (self.name, self.arguments, self.environment, self.search_path, self.mark, self.limits, self.slack)
        descriptor = os.memfd_create("start-order")
        try:
            data = memoryview(marshal.dumps(fields))
            while data:
                data = data[os.write(descriptor, data) :]
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @classmethod
    def from_file(cls, descriptor: int) -> "StartOrder":
        """Read an order that `to_file` has written, and close the descriptor."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb") as file:
            *fields, mark, limits, slack = marshal.loads(file.read())  # noqa: S302 -- written by this agent's own worker
        return cls(*fields, mark=mark, limits=limits, slack=slack)


class Program:
    """A program on local file systems: what to execute, and the conditions under which that is still correct.

    `absent` are the paths before it in the PATH, which did not exist; `files` are those that the kernel opens for it:
    the program, and the interpreters of a script. `tried_at` is when these could last be opened, in monotonic seconds.
    """

    __slots__ = ("absent", "files", "path", "tried_at")

    def __init__(self, path: bytes, absent: tuple[bytes, ...], files: tuple[bytes, ...]) -> None:
        self.path = path
        self.absent = absent
        self.files = files
        self.tried_at = 0.0

    def encoded(self) -> bytes:
        """Return the body of a PROGRAM report."""
        return marshal.dumps((self.path, self.absent, self.files))

    @classmethod
    def decoded(cls, data: bytes) -> "Program":
        """Return the program in the body of a PROGRAM report."""
        return cls(*marshal.loads(data))  # noqa: S302 -- written by this agent's own starter
