"""A Process with a pipe but without a real process; its collaborators are fakes controlled by a test."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from execwire.adapters.linux.survivors import Survivors
from execwire.adapters.subprocess.child_process import ChildProcess
from execwire.adapters.subprocess.containment import Containment
from execwire.adapters.subprocess.context import Leftovers, ProcessContext
from execwire.adapters.subprocess.exit_watcher import ExitWatcher
from execwire.adapters.subprocess.output.pipe_discarder import PipeDiscarder
from execwire.adapters.subprocess.output.spool import Spool
from execwire.adapters.subprocess.poller import Poller
from execwire.adapters.subprocess.process import Process
from execwire.adapters.subprocess.spawn.posix import Spawned
from execwire.domain.budget import Budget
from execwire.domain.control import TaskControl
from execwire.domain.outcome import Execution
from execwire.testing import FakeClock

PID, MARK = 4711, 7
NOBODY = 2**22 + 1
"""A pid that no process can have."""
LONG = 60.0


@dataclass
class FakeContainment:
    """Replaces Containment and the kernel for a Process, and records its calls in order."""

    calls: list[str] = field(default_factory=list[str])
    ended: bool = False
    status: int = 0
    family: bool = False
    """Whether other processes of its group are alive."""
    zombies: bool = False
    """Whether other processes of its group are zombies."""
    unkillable: bool = False
    lost: bool = False
    """Whether another caller has reaped it."""

    WEXITED, WNOHANG, WNOWAIT, P_PID = os.WEXITED, os.WNOHANG, os.WNOWAIT, os.P_PID
    waitstatus_to_exitcode = staticmethod(os.waitstatus_to_exitcode)

    def track(self, pid: int, mark: int) -> None:
        assert (pid, mark) == (PID, MARK)

    def disown(self, _: int) -> None:
        self.calls.append("abandon")

    def untrack(self, _: int) -> None:
        self.calls.append("release")

    def scan_before_kill(self, pid: int, mark: int) -> None:
        assert (pid, mark) == (PID, MARK)

    async def kill_slot(self) -> None:
        """Return at once."""

    async def kill(self, mark: int) -> bool:
        assert mark == MARK
        self.calls.append("end all")
        return True

    def waitid(self, *_: int) -> object:
        if self.lost:
            raise ChildProcessError
        return object() if self.ended else None

    def killpg(self, _: int, number: int) -> None:
        if number == 0:
            self.calls.append("ask group")
            if not self.family and not self.zombies:
                raise ProcessLookupError
            return
        self.calls.append("kill group" if number == signal.SIGKILL else f"signal group {number}")
        if number == signal.SIGKILL and not self.ended and not self.unkillable:
            self.ended, self.status = True, number

    def group(self, group: int, mark: int, *, kill: bool) -> Survivors:
        assert (group, mark) == (PID, MARK)
        if kill and self.family:
            self.calls.append("kill family")
            self.family = False
            return Survivors(inconclusive=True)
        return Survivors(found_alive=[] if not self.family else [NOBODY])

    def waitpid(self, pid: int, _: int) -> tuple[int, int]:
        self.calls.append("reap")
        return pid, self.status


class FakeExits(ExitWatcher):
    """Reports an exit when a test says so."""

    def __init__(self) -> None:
        self.watched: list[ChildProcess] = []
        self.hastened: list[ChildProcess] = []

    @property
    def callbacks(self) -> list[Callable[[], None]]:
        """Those of the children that are watched now."""
        return [child.on_exit for child in self.watched if child.on_exit is not None]

    def watch(self, child: ChildProcess, callback: Callable[[], None]) -> None:
        child.on_exit = callback
        self.watched.append(child)

    def watch_now(self, child: ChildProcess) -> None:
        self.hastened.append(child)


async def finished(process: Process) -> Execution:
    """Wait for a process and return what has become of it."""
    while not process.result.complete:
        await process.result.ended
    assert process.result.execution is not None
    return process.result.execution


class Running:
    """A Process with its context."""

    def __init__(self, folder: Path) -> None:
        self.kernel = FakeContainment()
        self.exit_watcher = FakeExits()
        self.poller = Poller()
        self.discarder = PipeDiscarder(self.poller)
        self.spool = Spool(str(folder), 1 << 30, Budget(1 << 30))
        self.control = TaskControl()
        self.writing = -1

    def start(
        self,
        *,
        timeout: float | None = None,
        leftovers: Leftovers = Leftovers.KILL,
        linger: float = LONG,
        limit: int | None = None,
    ) -> Process:
        reading, self.writing = os.pipe2(os.O_NONBLOCK)
        containment = cast("Containment", self.kernel)
        context = ProcessContext(
            FakeClock(),
            containment,
            self.discarder,
            leftovers,
            self.poller,
            self.exit_watcher,
            self.spool,
            asyncio.get_running_loop(),
            linger,
            limit,
        )
        return Process(Spawned(PID, reading, MARK), timeout, self.control, context)

    def say(self, data: bytes) -> None:
        os.write(self.writing, data)

    def hang_up(self) -> None:
        os.close(self.writing)
        self.writing = -1

    def exit(self, status: int = 0, *, told: bool = True) -> None:
        """Let the leader exit; with `told`, report that to the callbacks, otherwise only its stdout shows it."""
        self.kernel.ended, self.kernel.status = True, status
        if told:
            for callback in self.exit_watcher.callbacks:
                callback()

    def close(self) -> None:
        if self.writing >= 0:
            self.hang_up()
        self.spool.close()
        self.discarder.close()
        self.poller.close()
