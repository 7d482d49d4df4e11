"""An ExitWatcher over fake leaders that exit when a test says so."""

import os

import pytest

from execwire.adapters.subprocess import exit_watcher
from execwire.adapters.subprocess.child_process import ChildProcess
from execwire.adapters.subprocess.exit_watcher import ExitWatcher
from execwire.adapters.subprocess.poller import Poller
from execwire.testing import FakeClock

LONG = 60.0


class FakeLeader(ChildProcess):
    """Exits on `end`; its pidfd is a pipe, whose writing end is closed then."""

    def __init__(self, pid: int = 4711) -> None:
        super().__init__(pid, FakeClock())
        self.ended = False
        self.writing = -1
        self.told = 0
        self.looks = 0

    def has_ended(self) -> bool:
        self.looks += 1
        return self.ended

    def tell(self) -> None:
        self.told += 1

    def open(self) -> int:
        reading, self.writing = os.pipe()
        return reading

    def end(self) -> None:
        self.ended = True
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1


class Following:
    """An ExitWatcher, with a record of the pidfds that it opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exit_watcher, "PIDFD_AFTER_SECONDS", 0.002)
        monkeypatch.setattr(exit_watcher, "TRACED_PAUSE_SECONDS", 0.002)
        monkeypatch.setattr(os, "pidfd_open", self._pidfd_open)
        self.poller = Poller()
        self.exit_watcher = ExitWatcher(self.poller)
        self.refusal: OSError | None = None
        self.opened: list[int] = []
        self._leaders: dict[int, FakeLeader] = {}

    def follow(self) -> FakeLeader:
        child = FakeLeader(4711 + len(self._leaders))
        self._leaders[child.pid] = child
        self.exit_watcher.watch(child, child.tell)
        return child

    def _pidfd_open(self, pid: int) -> int:
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(self._leaders[pid].open())
        return self.opened[-1]

    def close(self) -> None:
        for child in self._leaders.values():
            child.end()
            self.exit_watcher.unwatch(child)
        self.exit_watcher.close()
        self.poller.close()
        for descriptor in self.opened:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
