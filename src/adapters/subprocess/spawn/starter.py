"""Starts programs off the event loop: a slow look-up or exec delays no other task.

Orders are sent to a starter (start_program.py), a process that lives as long as this one and is replaced if it dies.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from ...linux.procfs import NO_MARK
from ..containment import Containment
from ..poller import Poller
from .posix import RESETTABLE_SIGNALS
from .start import Start
from .start_order import Program, StartOrder

PROCESS_SECONDS = 2.0
"""A working starter forks for a waiting order in this time; one that does not is stopped or stuck, and replaced."""
BEGIN_SECONDS = 10.0
"""The same for the first fork of a new starter: on a busy machine Python itself takes long to start."""
MAX_AT_ONCE = 16
"""The number of orders that wait for their process at the same time."""
REAP_SECONDS = 0.05
_ATTEMPTS = 2
_ORDERS = 3
"""The starter's descriptor for orders."""
_OWN_PROGRAM = "/proc/self/exe"
"""Not its path: there may be another version by now, or this user may not access it."""
_PACKAGES = str(Path(__file__).absolute().parents[4])
_PROGRAM = (
    # Resets the signals that Python has changed, since exec preserves ignored signals. Not by the module `signal`,
    # whose enumerations would double the time that the starter takes to start.
    "import sys, _signal as s; [s.signal(n, s.SIG_DFL) for n in (s.SIGPIPE, s.SIGXFSZ, s.SIGINT)]; "
    "sys.path.append(sys.argv[1]); "
    f"from {__package__}.start_program import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


class Starter:
    """Starts programs through a separate process, one for each worker."""

    def __init__(self, containment: Containment, poller: Poller, environment: dict[bytes, bytes]) -> None:
        """`containment` tracks the starter, so that it is not killed as part of a task.

        `environment` is that of the starter itself, which may need it to find its libraries.
        """
        self._containment = containment
        self._poller = poller
        self._environment = environment
        self._order_slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._pid: int | None = None
        self._orders: socket.socket | None = None
        # How many orders wait for their process, and when the starter must have forked for one of them.
        self._waiting = 0
        self._due_at = 0.0
        self._loop = asyncio.get_running_loop()

    async def start(self, order: StartOrder, stdout: int, learn: Callable[[Program], None]) -> Start:
        """Return a start whose process, which waits for `go`, or whose failure is known. Raises OSError.

        `stdout` becomes the stdout of the program, and stays the caller's. Cancelling aborts the start.
        """
        async with self._order_slots:
            for _ in range(_ATTEMPTS):
                start = self._send_order(order, stdout, learn)
                try:
                    pid = await self._process_of(start)
                except BaseException:
                    start.close()
                    raise
                if pid is not None or start.failure is not None:
                    return start
                start.close()
        raise OSError(errno.EAGAIN, "the process that starts programs was killed")

    async def _process_of(self, start: Start) -> int | None:
        """Return the pid for an order that has just been sent; None if the start has failed."""
        starter = self._pid
        if not self._waiting:
            self._due_at = max(self._due_at, self._loop.time() + PROCESS_SECONDS)
        self._waiting += 1
        try:
            # The starter may fork for other orders first: each fork extends the deadline.
            while not start.process.done() and (remaining := self._due_at - self._loop.time()) > 0:
                await asyncio.wait({start.process}, timeout=remaining)
        finally:
            self._waiting -= 1
        if not start.process.done():
            # Another waiting order may have found that first and replaced the starter already.
            if self._pid == starter:
                self.close()
            return None
        pid = start.process.result()
        if pid is not None:
            self._due_at = self._loop.time() + PROCESS_SECONDS
        return pid

    def open(self) -> None:
        """Start the starter; if that fails, the next order tries again."""
        with contextlib.suppress(OSError):
            self._start_process()

    def close(self) -> None:
        """Kill the starter; a start whose process is known continues."""
        pid = self._pid
        if self._orders is None or pid is None:
            return
        self._poller.unregister(self._orders.fileno())
        self._orders.close()
        self._orders = self._pid = None
        os.kill(pid, signal.SIGKILL)
        self._reap(pid)

    def _send_order(self, order: StartOrder, stdout: int, learn: Callable[[Program], None]) -> Start:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)  # noqa: FBT003 -- its only form
            start = Start(order.name, ours, self._poller, learn)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        try:
            file = order.to_file()
            try:
                self._send([theirs.fileno(), stdout, file])
            finally:
                os.close(file)
        except BaseException:
            start.close()
            raise
        finally:
            theirs.close()
        return start

    def _send(self, descriptors: list[int]) -> None:
        for _ in range(_ATTEMPTS):
            orders = self._orders or self._start_process()
            try:
                socket.send_fds(orders, [b"!"], descriptors)
            except (BlockingIOError, BrokenPipeError, ConnectionError):
                # The starter is stopped or dead and accepts no more orders.
                self.close()
            else:
                return
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _start_process(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                ours.setblocking(False)  # noqa: FBT003 -- its only form
                pid = self._spawn(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        self._pid, self._orders = pid, ours
        self._due_at = self._loop.time() + BEGIN_SECONDS
        self._containment.track(pid, NO_MARK)
        # The socket is readable when the starter has died.
        self._poller.register(ours.fileno(), self.close)
        return ours

    def _spawn(self, orders: int) -> int:
        with Path(os.devnull).open("r+b") as null:
            actions = [(os.POSIX_SPAWN_DUP2, null.fileno(), standard) for standard in (0, 1, 2)]
            return os.posix_spawn(
                _OWN_PROGRAM,
                [sys.executable, "-I", "-S", "-c", _PROGRAM, _PACKAGES, str(_ORDERS), str(os.getpid())],
                self._environment,
                file_actions=[*actions, (os.POSIX_SPAWN_DUP2, orders, _ORDERS)],
                setsid=True,
                setsigmask=(),
                setsigdef=RESETTABLE_SIGNALS,
            )

    def _reap(self, pid: int) -> None:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            self._loop.call_later(REAP_SECONDS, self._reap, pid)
        else:
            self._containment.untrack(pid)
