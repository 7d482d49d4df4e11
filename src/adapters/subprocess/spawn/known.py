"""The programs that may be started on the event loop: this worker has executed them before, quickly, from local disks.

Any other start could block before the program's first instruction, and every client with it: because of a network file
system, a process behind FUSE, a file lease, a virus scanner. Those programs are started through the starter.
"""

import asyncio
import os
import select
from collections.abc import Callable

from .mounts import MOUNTINFO
from .start_order import Program

MAX_KNOWN = 4096


class KnownPrograms:
    """Programs by their names in requests; all are forgotten when a file system is mounted or unmounted."""

    def __init__(self) -> None:
        """Watch the mounts from the running loop; if they cannot be watched, no program is ever learned."""
        self._programs: dict[str, Program] = {}
        # Returns the program of a name; an attribute saves a call for every task.
        self.get: Callable[[str], Program | None] = self._programs.get
        self._loop = asyncio.get_running_loop()
        self._mounts: int | None = None
        self._epoll = select.epoll()
        try:
            self._mounts = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
            # The file is always readable; EPOLLPRI reports a change (proc_pid_mounts(5)).
            self._epoll.register(self._mounts, select.EPOLLPRI)
        except OSError:
            self.close()
            return
        self._loop.add_reader(self._epoll.fileno(), self._on_mounts_changed)

    def learn(self, name: str, program: Program) -> None:
        """Add a program; above MAX_KNOWN the oldest entry is removed."""
        if self._mounts is None:
            return
        if len(self._programs) >= MAX_KNOWN and name not in self._programs:
            del self._programs[next(iter(self._programs))]
        self._programs[name] = program

    def forget(self, name: str) -> None:
        """Remove a program that was slow or has changed."""
        self._programs.pop(name, None)

    def close(self) -> None:
        """Forget all programs and learn no more."""
        self._programs.clear()
        if self._mounts is not None:
            self._loop.remove_reader(self._epoll.fileno())
            os.close(self._mounts)
            self._mounts = None
        self._epoll.close()

    def _on_mounts_changed(self) -> None:
        self._epoll.poll(0)
        self._programs.clear()
