"""Which programs may be started on the event loop: what this worker has executed before, quickly, from local disks.

Everything else could hang on the way to its first instruction, and every client with it: a network file system, a
process behind FUSE, a file under a lease, a scanner of files. That goes through the starter.
"""

import asyncio
import os
import select
from collections.abc import Callable

from .mounts import MOUNTINFO
from .start_order import Program

MAX_KNOWN = 4096


class KnownPrograms:
    """Programs by the name in their request; forgets all when anything is mounted or unmounted."""

    def __init__(self) -> None:
        """Know none, and watch the mounts from the running loop; where those cannot be watched, none is ever known."""
        self._programs: dict[str, Program] = {}
        # Of a name; an attribute, since it is asked for every task.
        self.get: Callable[[str], Program | None] = self._programs.get
        self._loop = asyncio.get_running_loop()
        self._mounts: int | None = None
        self._epoll = select.epoll()
        try:
            self._mounts = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
            # Readable it always is; a change is told by this (proc_pid_mounts(5)).
            self._epoll.register(self._mounts, select.EPOLLPRI)
        except OSError:
            self.close()
            return
        self._loop.add_reader(self._epoll.fileno(), self._on_mounts_changed)

    def learn(self, name: str, program: Program) -> None:
        """Know it from now on; past MAX_KNOWN the one that has been known longest is forgotten."""
        if self._mounts is None:
            return
        if len(self._programs) >= MAX_KNOWN and name not in self._programs:
            del self._programs[next(iter(self._programs))]
        self._programs[name] = program

    def forget(self, name: str) -> None:
        """Know it no more: it was slow, or is not what it was."""
        self._programs.pop(name, None)

    def close(self) -> None:
        """Know nothing more."""
        self._programs.clear()
        if self._mounts is not None:
            self._loop.remove_reader(self._epoll.fileno())
            os.close(self._mounts)
            self._mounts = None
        self._epoll.close()

    def _on_mounts_changed(self) -> None:
        self._epoll.poll(0)
        self._programs.clear()
