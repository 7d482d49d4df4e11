"""One start that goes through the starter, as the worker sees it: which process, what was found, why it failed."""

import asyncio
import marshal
import socket
from collections.abc import Callable

from ....domain.outcome import NotStarted
from ..poller import Poller
from .start_failure import cannot_start
from .start_order import FAILED, GO, MAX_REPORT_BYTES, PROCESS, PROGRAM, Program

QUICK_SECONDS = 0.1
"""What takes longer to execute is not started on the event loop the next time."""

END_SECONDS = 0.01
"""How long a process that was killed before it was executed may take to end, until it is left to end alone."""
END_LOOKS = 5


class Start:
    """Reads the reports of one start.

    `process` becomes the pid of the process that will be the program, None where there is none: `failure` then says
    why, or nothing, if the starter itself has ended. That process waits for `go`, so that whoever is to watch over it
    does so before anything can come of it.
    """

    __slots__ = ("_channel", "_found_at", "_learn", "_loop", "_name", "_poller", "_program", "failure", "process")

    def __init__(self, name: bytes, channel: socket.socket, poller: Poller, learn: Callable[[Program], None]) -> None:
        """Own `channel`, not blocking; `learn` is told a program that was executed quickly. Raises OSError."""
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
        """Let the process become the program."""
        if self._channel is not None:
            try:
                self._channel.send(GO)
            except OSError:
                return  # it was killed: its end says so

    def finish(self) -> NotStarted | None:
        """Return why it failed, if so, once its process has ended: all that it has reported is there by now."""
        self._read_all()
        self.close()
        return self.failure

    async def was_killed_before(self, has_ended: Callable[[], bool]) -> bool:
        """Return whether its process, which has got SIGKILL, never became the program: nothing else of it is left then.

        Waits a moment for its end and no longer: what hangs in a file system dies when that answers, and runs nothing.
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
        """Want to know nothing more; a process that has not been told to go ends."""
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
        assert self._channel is not None  # noqa: S101 -- narrows the type; closed, it is not watched
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
            self._at_end()
        return bool(report)

    def _at_end(self) -> None:
        self.close()
        self._resolve(None)
        if self.failure is None and self._program is not None and self._loop.time() - self._found_at < QUICK_SECONDS:
            self._learn(self._program)

    def _resolve(self, pid: int | None) -> None:
        if not self.process.done():
            self.process.set_result(pid)
