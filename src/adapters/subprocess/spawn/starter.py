"""Starts programs off the event loop: what takes its time to be looked up or executed holds up nobody else.

Orders go to a starter (start_program.py), a process that lives as long as this one, and is replaced when it has died.
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
"""In which a starter that works forks for one of those who wait; otherwise it is stopped or worse, and replaced."""
BEGIN_SECONDS = 10.0
"""In which a new one does so for the first time: on a busy machine Python itself takes long to start."""
MAX_AT_ONCE = 16
"""Orders for which there is no process yet."""
REAP_SECONDS = 0.05
_ATTEMPTS = 2
_ORDERS = 3
"""The starter's descriptor for orders."""
_OWN_PROGRAM = "/proc/self/exe"
"""Not its path, at which another version may lie by now, or at which this user may not look."""
_PACKAGES = str(Path(__file__).absolute().parents[4])
_PROGRAM = (
    # What Python has changed for itself is put back: a signal that is ignored stays so in what is executed. Not by the
    # module `signal`, whose enumerations would double the time that the starter takes to start.
    "import sys, _signal as s; [s.signal(n, s.SIG_DFL) for n in (s.SIGPIPE, s.SIGXFSZ, s.SIGINT)]; "
    "sys.path.append(sys.argv[1]); "
    f"from {__package__}.start_program import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


class Starter:
    """Has programs started by a process of its own, one worker's."""

    def __init__(self, containment: Containment, poller: Poller, environment: dict[bytes, bytes]) -> None:
        """`containment` is told of the starter, so that it is not taken for a task's.

        `environment` is the starter's own, which may need it to find its libraries.
        """
        self._containment = containment
        self._poller = poller
        self._environment = environment
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._pid: int | None = None
        self._orders: socket.socket | None = None
        # How many orders wait for their process, and when it has to have forked for one of them.
        self._waiting = 0
        self._due_at = 0.0
        self._loop = asyncio.get_running_loop()

    async def start(self, order: StartOrder, stdout: int, learn: Callable[[Program], None]) -> Start:
        """Return a start of which the process, or the failure, is known; it waits for `go`. Raises OSError.

        `stdout` is what the program gets as its stdout, and stays the caller's. Cancelling leaves nothing.
        """
        async with self._room:
            for _ in range(_ATTEMPTS):
                start = self._order(order, stdout, learn)
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
        """Return the pid of an order that has just been given; None where nothing has come of it."""
        starter = self._pid
        if not self._waiting:
            self._due_at = max(self._due_at, self._loop.time() + PROCESS_SECONDS)
        self._waiting += 1
        try:
            # Others may be served before this order: what counts is the last sign of life.
            while not start.process.done() and (left := self._due_at - self._loop.time()) > 0:
                await asyncio.wait({start.process}, timeout=left)
        finally:
            self._waiting -= 1
        if not start.process.done():
            # Whoever was the first to find that has replaced it already.
            if self._pid == starter:
                self.close()
            return None
        pid = start.process.result()
        if pid is not None:
            self._due_at = self._loop.time() + PROCESS_SECONDS
        return pid

    def open(self) -> None:
        """Have a starter from now on; where there is none to be had, an order tries again."""
        with contextlib.suppress(OSError):
            self._begin()

    def close(self) -> None:
        """End the starter; a start whose process is known goes on."""
        pid = self._pid
        if self._orders is None or pid is None:
            return
        self._poller.unregister(self._orders.fileno())
        self._orders.close()
        self._orders = self._pid = None
        os.kill(pid, signal.SIGKILL)
        self._reap(pid)

    def _order(self, order: StartOrder, stdout: int, learn: Callable[[Program], None]) -> Start:
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
            orders = self._orders or self._begin()
            try:
                socket.send_fds(orders, [b"!"], descriptors)
            except (BlockingIOError, BrokenPipeError, ConnectionError):
                # It takes no orders any more, stopped or dead.
                self.close()
            else:
                return
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _begin(self) -> socket.socket:
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
        # It is readable when the starter has died.
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
