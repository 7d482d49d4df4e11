"""Writes log lines to standard error without blocking, even if it is a full or closed pipe or a stopped terminal."""

import contextlib
import os
import queue
import select
import threading

MAX_WAITING = 10_000
FLUSH_SECONDS = 0.5


class NonBlockingStderr:
    """A text file for the few log lines of the supervisor: a line is written if that cannot block, else dropped.

    It has no thread: the supervisor forks, and a fork copies locks that threads hold, but not the threads.
    """

    def __init__(self, descriptor: int = 2) -> None:
        """Write to `descriptor`, which is never closed here."""
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
        """Do nothing: there is no buffer."""


class QueuedStderr:
    """A text file for loggers: a thread writes lines from a queue; lines beyond MAX_WAITING are dropped."""

    def __init__(self, descriptor: int = 2) -> None:
        """Write to `descriptor`, which is never closed here."""
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._dropped = 0
        # A daemon thread: a write that never returns must not prevent the process from exiting.
        self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue a line; returns at once."""
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
        else:
            self._report_dropped()
            self._lines.put(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes the queue."""

    def close(self) -> None:
        """Wait up to FLUSH_SECONDS until the queue has been written."""
        self._report_dropped()
        self._lines.put(None)
        self._thread.join(FLUSH_SECONDS)

    def _report_dropped(self) -> None:
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
                # Another process that shares the descriptor has made it non-blocking.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:
                return  # closed: there is no other place to report it
