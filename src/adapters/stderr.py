"""Log lines to standard error, which may be a full pipe, a closed one or a stopped terminal: nobody waits for it."""

import contextlib
import os
import queue
import select
import threading

MAX_WAITING = 10_000
FLUSH_SECONDS = 0.5


class NonBlockingStderr:
    """A text file for the supervisor's few lines: written at once where that cannot block, else dropped.

    No thread: the supervisor forks, and a fork copies locks that threads hold, but not the threads.
    """

    def __init__(self, descriptor: int = 2) -> None:
        """Write to `descriptor`, which stays the caller's."""
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> int:
        """Write a line, or drop it."""
        if any(event & select.POLLOUT for _, event in self._poll.poll(0)):
            with contextlib.suppress(OSError):
                # A pipe that polls as writable takes this much without blocking (pipe(7)).
                os.write(self._descriptor, text.encode("utf-8", "replace")[: select.PIPE_BUF])
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing waits."""


class QueuedStderr:
    """A text file for loggers: lines wait in memory and a thread writes them; past MAX_WAITING they are dropped."""

    def __init__(self, descriptor: int = 2) -> None:
        """Write to `descriptor`, which stays the caller's."""
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._dropped = 0
        # A daemon: a write that never returns must not keep the agent from ending.
        self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Take a line; returns at once."""
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
        else:
            self._tell_dropped()
            self._lines.put(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: lines are on their way."""

    def close(self) -> None:
        """Give what waits FLUSH_SECONDS to get out."""
        self._tell_dropped()
        self._lines.put(None)
        self._thread.join(FLUSH_SECONDS)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._lines.put(f"({self._dropped} lines of log dropped: standard error is not being read)\n".encode())
            self._dropped = 0

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write_out(line)

    def _write_out(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                # Somebody who shares the descriptor has made it non-blocking.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:
                return  # closed: there is nobody to tell
