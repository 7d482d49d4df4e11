"""Finds and kills process trees among this process's descendants, even if they changed session, group or parent."""

import os
import signal
from collections.abc import Callable, Iterator

from . import procfs
from .adopted import Adopted, any_mark
from .family import family
from .pidfds import is_alive, open_pidfd, session_or_group
from .survivors import OTHER_USER, UNKNOWN, Survivors


class ProcessTree:
    """Assigns the children of this process, with all descendants of each, to marks.

    Spawned children are registered with `add`. All others were adopted, since this process is a child subreaper
    (prctl(2)), and are identified by their mark.
    """

    def __init__(self, identify: Callable[[int], int | None] = any_mark) -> None:
        """`identify` returns the mark of an adopted child, as described in Adopted."""
        self._pid = os.getpid()
        # The marks of the children that were spawned here and are reaped elsewhere, by pid.
        self.leaders: dict[int, int] = {}
        self.adopted = Adopted(self.leaders, identify)
        self._family = family()

    def add(self, pid: int, mark: int) -> None:
        """Register a child, which the caller reaps."""
        self.leaders[pid] = mark
        if pid in self.adopted.marks_by_pid:
            self.adopted.forget(pid)

    def expect(self, pid: int, mark: int) -> None:
        """Remember until `forget_mark` the descendants of a leader before it is killed: they may have lost the mark."""
        for _ in self._family.refresh():
            pass
        self.adopted.expect(pid, mark, self._family.children)

    def forget_mark(self, mark: int) -> None:
        """Forget the descendants that `expect` remembered for this mark."""
        self.adopted.drop(mark)

    def remove(self, pid: int) -> None:
        """Remove a child that has been reaped."""
        self.leaders.pop(pid, None)

    def disown(self, pid: int) -> None:
        """Treat a child, registered or not, as adopted from now on, so that it is reaped here."""
        self.adopted.take(pid, self.leaders.pop(pid, None))

    @property
    def adopted_marks(self) -> set[int]:
        """The marks of the adopted children that were alive after the last scan."""
        return self.adopted.marks

    @property
    def running_marks(self) -> list[int]:
        """The marks of the registered children."""
        return list(self.leaders.values())

    @property
    def has_children(self) -> bool:
        """Whether there are registered children with a mark, or adopted ones that were alive after the last scan."""
        return bool(self.adopted) or any(self.leaders.values())

    def has_adopted_zombie(self) -> bool:
        """Return whether an adopted child has ended; looks at one ended child only, which may hide others."""
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return ended is not None and ended.si_pid not in self.leaders

    def scan(self, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> Iterator[None]:
        """Kill all live processes of `marks`, record them in `survivors_by_mark`, and reap adopted zombies.

        Yields after each process, so that the caller can do other work in between. Raises OSError if the system has no
        descriptor or memory for the scan.
        """
        yield from self._family.refresh()
        for pid in self._present():
            mark, reaped = self.leaders.get(pid), False
            if mark is None:
                result = self.adopted.check(pid)
                if result is None:
                    continue
                mark, reaped = result
            if mark is None:
                self._record_unknown(pid, marks, survivors_by_mark)
            elif mark in marks:
                survivors = survivors_by_mark.setdefault(mark, Survivors())
                if reaped:
                    survivors.inconclusive = True
                else:
                    yield from self._kill_tree(pid, survivors)
            yield

    def everyone(self, see: Callable[[int], object]) -> Iterator[None]:
        """Call `see` with the pid of every descendant of this process."""
        yield from self._family.refresh()
        pending = [self._pid]
        while pending:
            children = self._family.children(pending.pop())
            for pid in children:
                see(pid)
                yield
            pending += children

    def group(self, group: int, mark: int, *, kill: bool) -> Survivors:
        """Return the live processes in the group of a leader that has ended, after sending SIGKILL if `kill`.

        The leader's descendants have been adopted; those in its group are in its session too, even if they have lost
        their mark. If none of them exists, the number may have been reused: processes with another mark do not count.
        """
        survivors = Survivors()
        for _ in self._family.refresh():
            pass
        for pid in self._present():
            if pid in self.leaders or session_or_group(os.getsid, pid) != group:
                continue
            result = self.adopted.check(pid)
            if result is not None and result[1]:
                survivors.inconclusive = True
            elif result is not None and result[0] in (mark, procfs.STRAY, None):
                pending = [(pid, self._pid)]
                while pending:
                    member, parent = pending.pop()
                    pending += [(child, member) for child in self._family.children(member)]
                    if session_or_group(os.getpgid, member) == group and kill:
                        self._kill(member, parent, survivors)
                    elif session_or_group(os.getpgid, member) == group and is_alive(member):
                        survivors.found_alive.append(member)
        return survivors

    def _record_unknown(self, pid: int, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> None:
        """Record a child of unknown mark as a survivor of each task that existed when it was first seen."""
        for mark in marks & self.adopted.candidates(pid, marks):
            survivors = survivors_by_mark.setdefault(mark, Survivors())
            survivors.found_alive.append(pid)
            survivors.reason = UNKNOWN

    def _present(self) -> list[int]:
        # The newest first: in a chain of processes that each fork a successor and exit, the last one is alive.
        present = self._family.children(self._pid)[::-1]
        self.adopted.keep_only(present)
        return present

    def _kill_tree(self, root: int, survivors: Survivors) -> Iterator[None]:
        # Parents before children: this process adopts what is forked in between, and the next scan finds it.
        pending = [(root, self._pid)]
        while pending:
            pid, parent = pending.pop()
            children = self._family.children(pid)
            self._kill(pid, parent, survivors)
            pending += [(child, pid) for child in children]
            yield

    def _kill(self, pid: int, parent: int, survivors: Survivors) -> None:
        pidfd = open_pidfd(pid)
        if pidfd is None:
            return
        try:
            # The pid may have been reused before pidfd_open; checked now, since the pidfd always means one process.
            if not self._is_alive_below(pid, pidfd, parent):
                return
            survivors.found_alive.append(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except PermissionError:
            survivors.reason = OTHER_USER
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)

    def _is_alive_below(self, pid: int, pidfd: int, parent: int) -> bool:
        stat = procfs.stat(pid)
        if stat is not None:
            return stat.alive and stat.parent in (parent, self._pid)
        if procfs.ended(pidfd):
            return False
        # /proc hides it, but its parent's list of children contains it.
        return pid in self._family.children(parent) or pid in self._family.children(self._pid)
