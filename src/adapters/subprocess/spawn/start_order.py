"""What the worker and its starter say to each other: an order to start a program, and what is reported of it.

A start has a channel of its own, a socket pair that keeps messages apart. Reports begin with one of the letters below;
a channel that ends without FAILED means that the program was executed, since the channel is closed by that.
The starter imports as little as can be, here too: somebody waits for it to start.
"""

import marshal
import os

PROCESS, PROGRAM, FAILED = b"p", b"k", b"!"
"""Reports: the pid of the process that will be the program; what was found to execute; why it could not be executed."""
GO = b"g"
"""The worker's answer to PROCESS: it watches over that process now."""
MAX_REPORT_BYTES = 64 * 1024


class StartOrder:
    """What is to be executed: `environment` is all of it, `limits` are RLIMIT_NOFILE as tasks get it, soft and hard.

    `arguments` are separated by NUL: a list of 100,000 would hold everybody else up for milliseconds.
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
        """Look `name` up in `search_path`; whatever comes of it carries `mark`."""
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.search_path = search_path
        self.mark = mark
        self.limits = limits
        self.slack = slack

    def to_file(self) -> int:
        """Return the descriptor of an anonymous file in memory that holds the order; raises OSError."""
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
        """Read what `to_file` has written, and close the descriptor."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb") as file:
            *fields, mark, limits, slack = marshal.loads(file.read())  # noqa: S302 -- written by this agent's own worker
        return cls(*fields, mark=mark, limits=limits, slack=slack)


class Program:
    """A program that lies on local file systems: what to execute, and what must hold for that to be right once more.

    `absent` are the places of the PATH before it, where there was nothing; `files` are what the kernel opens for it:
    the program, and the interpreters of a script. `tried_at` is when these could last be opened, monotonic seconds.
    """

    __slots__ = ("absent", "files", "path", "tried_at")

    def __init__(self, path: bytes, absent: tuple[bytes, ...], files: tuple[bytes, ...]) -> None:
        self.path = path
        self.absent = absent
        self.files = files
        self.tried_at = 0.0

    def encoded(self) -> bytes:
        """Return it as the body of a PROGRAM report."""
        return marshal.dumps((self.path, self.absent, self.files))

    @classmethod
    def decoded(cls, data: bytes) -> "Program":
        """Return what `encoded` was made of."""
        return cls(*marshal.loads(data))  # noqa: S302 -- written by this agent's own starter
