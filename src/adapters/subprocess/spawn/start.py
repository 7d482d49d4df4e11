"""One start through the starter, as the worker sees it: the process, the program that was found, why it failed."""

import asyncio
import marshal
import socket
from collections.abc import Callable

from ....domain.outcome import NotStarted
from ..poller import Poller
from .start_failure import cannot_start
from .start_order import FAILED, GO, MAX_REPORT_BYTES, PROCESS, PROGRAM, Program

QUICK_SECONDS = 0.1
"""A program that takes longer to execute is not started on the event loop the next time."""

END_SECONDS = 0.01
"""How long a process that was killed before its exec is waited for. If it takes longer, the result is sent without
waiting: the process executes nothing, and is reaped like an adopted one."""
END_LOOKS = 5


class Start:
    """Reads the reports of one start.

    `process` is set to the pid of the process that will execute the program, or to None if there is none: `failure`
    then says why, or is None if the starter itself has ended. The process waits for `go`, so that it is tracked and
    watched before it can start anything.
    """

    __slots__ = ("_channel", "_found_at", "_learn", "_loop", "_name", "_poller", "_program", "failure", "process")

    def __init__(self, name: bytes, channel: socket.socket, poller: Poller, learn: Callable[[Program], None]) -> None:
        """Own `channel`, non-blocking; call `learn` with a program that was executed quickly. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self.process: asyncio.Future[int | None] = self._loop.create_future()
        self.failure: NotStarted | None = None
        self._name = name
        self._channel: socket.socket | None = channel
        self._poller = poller
        self._learn = learn
        self._program: Program | None = None
        self._found_at = 0.0
        poller.register(channel.fileno(), self._read)

    def go(self) -> None:
        """Allow the process to execute the program."""
        if self._channel is not None:
            try:
                self._channel.send(GO)
            except OSError:
                return  # it was killed: its exit status says so

    def finish(self) -> NotStarted | None:
        """Return why the start failed, if it did. Call it when the process has ended: all its reports have arrived."""
        self._read_all()
        self.close()
        return self.failure

    async def was_killed_before(self, has_ended: Callable[[], bool]) -> bool:
        """Return whether its process, which was sent SIGKILL, never executed the program and so has no descendants.

        Waits at most END_SECONDS for its end: a process that a file system blocks dies when that responds, and executes
        nothing.
        """
        self._read_all()
        if self._channel is None and self.failure is None:
            return False
        for _ in range(END_LOOKS):
            if has_ended():
                break
            await asyncio.sleep(END_SECONDS / END_LOOKS)
        return True

    def close(self) -> None:
        """Read no more reports; a process that still waits for `go` ends."""
        if self._channel is not None:
            self._poller.unregister(self._channel.fileno())
            self._channel.close()
            self._channel = None

    def _read(self) -> None:
        self._read_one()

    def _read_all(self) -> None:
        while self._channel is not None and self._read_one():
            pass

    def _read_one(self) -> bool:
        assert self._channel is not None  # noqa: S101 -- narrows the type; a closed channel is not watched
        try:
            report = self._channel.recv(MAX_REPORT_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            report = b""
        kind, body = report[:1], report[1:]
        if kind == PROCESS:
            self._resolve(int(body))
        elif kind == PROGRAM:
            self._program, self._found_at = Program.decoded(body), self._loop.time()
        elif kind == FAILED:
            path, reason = marshal.loads(body)  # noqa: S302 -- written by this agent's own starter
            self.failure = NotStarted(cannot_start(path or self._name, reason))
            self._resolve(None)
        else:
            self._on_eof()
        return bool(report)

    def _on_eof(self) -> None:
        self.close()
        self._resolve(None)
        if self.failure is None and self._program is not None and self._loop.time() - self._found_at < QUICK_SECONDS:
            self._learn(self._program)

    def _resolve(self, pid: int | None) -> None:
        if not self.process.done():
            self.process.set_result(pid)
