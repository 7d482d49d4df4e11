"""A fake process table: the system calls that `process_tree` and other modules make, without real processes."""

import errno
import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from execwire.adapters.linux import adopted, family, pidfds
from execwire.adapters.linux import process_tree as tree
from execwire.adapters.linux.procfs import NO_MARK, STRAY, Stat
from execwire.adapters.subprocess import task_marks
from execwire.app.supervision import orphans

MAX_OPEN = 1
"""The number of pidfds that may be open at once: processes are checked one after the other."""


@dataclass(eq=False)
class FakeProcess:
    """One row: `others` marks a process that may not be signalled, `stuck` one that survives signals.

    `hidden` marks one that /proc does not show; the mark of a process with `others` and `hidden` cannot be read. The
    exit of a `traced` process is not visible to its parent. `session` is the pid of its session's leader.
    """

    pid: int
    parent: int
    mark: int | None
    alive: bool = True
    others: bool = False
    stuck: bool = False
    hidden: bool = False
    traced: bool = False
    session: int = 0
    started: int = 1

    @property
    def si_pid(self) -> int:
        return self.pid


@dataclass
class ProcessTable:
    """The agent (`me`) and its descendants; it is a subreaper, so that it adopts those whose parents end.

    Without `listed`, there are no lists of children. Each call about a pid first runs its entry in `before`, where a
    test puts what happens at that moment.
    """

    me: int = 1000
    rows: dict[int, FakeProcess] = field(default_factory=dict[int, FakeProcess])
    killed: list[int] = field(default_factory=list[int])
    reaped: list[int] = field(default_factory=list[int])
    walks: int = 0
    listed: bool = True
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001))
    asked: Counter[str] = field(default_factory=Counter[str])
    pidfds: dict[int, FakeProcess] = field(default_factory=dict[int, FakeProcess])
    before: dict[tuple[str, int], Callable[[], object]] = field(
        default_factory=dict[tuple[str, int], Callable[[], object]]
    )

    # What `tree` uses of the modules os and signal.
    WEXITED, WNOHANG, WNOWAIT, P_PID, P_ALL = os.WEXITED, os.WNOHANG, os.WNOWAIT, os.P_PID, os.P_ALL
    SIGKILL = signal.SIGKILL
    NO_MARK, STRAY = NO_MARK, STRAY

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let those modules use this table instead of the system."""
        for name in ("os", "signal", "procfs"):
            monkeypatch.setattr(tree, name, self)
        for name in ("os", "procfs"):
            monkeypatch.setattr(adopted, name, self)
            monkeypatch.setattr(pidfds, name, self)
        for module in (family, task_marks, orphans):
            monkeypatch.setattr(module, "procfs", self)

    def start(self, parent: int | None = None, mark: int | None = None) -> int:
        """Fork from `parent` (by default from `me`); without a mark of its own it inherits its parent's."""
        parent = self.me if parent is None else parent
        inherited = self.rows[parent].mark if parent in self.rows else None
        pid = next(self.numbers)
        self.rows[pid] = FakeProcess(pid, parent, inherited if mark is None else mark)
        return pid

    def die(self, pid: int) -> None:
        """Make a process a zombie; its children become those of `me`."""
        self.rows[pid].alive = False
        for row in self.rows.values():
            if row.parent == pid:
                row.parent = self.me

    def vanish(self, pid: int) -> None:
        """Let a process die and be reaped by another caller."""
        self.die(pid)
        del self.rows[pid]

    @property
    def alive(self) -> list[int]:
        return sorted(pid for pid, row in self.rows.items() if row.alive)

    def getpid(self) -> int:
        return self.me

    def children(self, pid: int) -> list[int]:
        assert self.listed
        self._ask("children", pid)
        self.walks += pid == self.me
        if pid in self.rows and self.rows[pid].hidden:
            return []
        return [row.pid for row in self.rows.values() if row.parent == pid]

    def lists_children(self) -> bool:
        return self.listed

    def pids(self) -> list[int]:
        self.walks += 1
        return sorted(pid for pid, row in self.rows.items() if not row.hidden)

    def mark(self, pid: int) -> int | None:
        self._ask("mark", pid)
        row = self.rows.get(pid)
        # A zombie still has its limits.
        return None if row is None or (row.hidden and row.others) else row.mark or 0

    def getsid(self, pid: int) -> int:
        return self.rows[pid].session

    def stat(self, pid: int) -> Stat | None:
        self._ask("state", pid)
        row = self.rows.get(pid)
        return None if row is None or row.hidden else Stat(row.alive, row.parent)

    def started_at(self, pid: int) -> int | None:
        row = self.rows.get(pid)
        return None if row is None or row.hidden else row.started

    def ended(self, pidfd: int) -> bool:
        row = self.pidfds[pidfd]
        return not row.alive or self.rows.get(row.pid) is not row

    def pidfd_open(self, pid: int) -> int:
        self._ask("pidfd", pid)
        if pid not in self.rows:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        pidfd = self.asked.total()
        self.pidfds[pidfd] = self.rows[pid]
        assert len(self.pidfds) <= MAX_OPEN
        return pidfd

    def pidfd_send_signal(self, pidfd: int, number: int) -> None:
        row = self.pidfds[pidfd]
        self._ask("kill", row.pid)
        assert number == signal.SIGKILL
        if self.rows.get(row.pid) is not row:
            raise ProcessLookupError
        if row.others:
            raise PermissionError
        self.killed.append(row.pid)
        if not row.stuck:
            self.die(row.pid)

    def close(self, pidfd: int) -> None:
        del self.pidfds[pidfd]

    def waitid(self, kind: int, pid: int, options: int) -> FakeProcess | None:
        assert options == os.WEXITED | os.WNOHANG | os.WNOWAIT
        if kind == os.P_ALL:
            zombies = [row for row in self.rows.values() if row.parent == self.me and not (row.alive or row.traced)]
            return zombies[0] if zombies else None
        self._ask("look", pid)
        row = self.rows.get(pid)
        if row is None or row.parent != self.me:
            raise ChildProcessError
        return None if row.alive or row.traced else row

    def waitpid(self, pid: int, options: int) -> tuple[int, int]:
        self._ask("wait", pid)
        assert pid > 0, "never any child: it would reap a leader before its group is killed"
        assert options == os.WNOHANG
        row = self.rows.get(pid)
        if row is None or row.parent != self.me:
            raise ChildProcessError
        if row.alive:
            return 0, 0
        del self.rows[pid]
        self.reaped.append(pid)
        return pid, signal.SIGKILL

    def _ask(self, what: str, pid: int) -> None:
        self.asked[what] += 1
        callback = self.before.pop((what, pid), None)
        if callback is not None:
            callback()
