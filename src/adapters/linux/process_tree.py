"""Finds and kills whole trees among the agent's own descendants, whatever they did to get away."""

import os
import signal
from collections.abc import Callable, Iterator

from . import procfs
from .adopted import Adopted, any_mark
from .family import family
from .pidfds import is_alive, number, open_pidfd
from .survivors import OTHER_USER, UNKNOWN, Survivors


class ProcessTree:
    """Knows which direct child of this process belongs to which mark, and what stands below it to the same.

    Children that were spawned here are enrolled; every other one was adopted, since this process is a child subreaper
    (prctl(2)), and is told by its mark.
    """

    def __init__(self, identify: Callable[[int], int | None] = any_mark) -> None:
        """`identify` tells whose an adopted child is, as Adopted takes it."""
        self._pid = os.getpid()
        self._leaders: dict[int, int] = {}
        self._adopted = Adopted(self._leaders, identify)
        self._family = family()

    def add(self, pid: int, mark: int) -> None:
        """Take note of a child whose end somebody else waits for."""
        self._leaders[pid] = mark
        if pid in self._adopted.marks_by_pid:
            self._adopted.forget(pid)

    def expect(self, pid: int, mark: int) -> None:
        """Remember until `drop` who stands below a leader that is about to be killed: it may bear no mark any more."""
        for _ in self._family.refresh():
            pass
        self._adopted.expect(mark, pid, self._family.children)

    def forget_mark(self, mark: int) -> None:
        """Expect nobody of a task any more."""
        self._adopted.drop(mark)

    def remove(self, pid: int) -> None:
        """Forget a child that has been reaped."""
        self._leaders.pop(pid, None)

    def disown(self, pid: int) -> None:
        """Treat a child that nobody waits for any more as adopted: it is reaped here."""
        self._adopted.take(pid, self._leaders.pop(pid, None))

    @property
    def adopted_marks(self) -> set[int]:
        """The marks of the adopted children that the last walk left alive."""
        return self._adopted.marks

    @property
    def running_marks(self) -> list[int]:
        """The marks of the enrolled children."""
        return list(self._leaders.values())

    @property
    def has_children(self) -> bool:
        """Whether there are enrolled children that bear a mark, or the last walk left adopted ones alive."""
        return bool(self._adopted) or any(self._leaders.values())

    def has_dead_orphan(self) -> bool:
        """Return whether an adopted child has ended, as far as that can be seen at a glance."""
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return ended is not None and ended.si_pid not in self._leaders

    def scan(self, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> Iterator[None]:
        """Kill whatever is alive of `marks`, noting it in `survivors_by_mark`, and reap adopted zombies.

        Yields after each process, so that the caller can do other things in between. Raises OSError where the system
        has no descriptor or memory left to look with.
        """
        yield from self._family.refresh()
        for pid in self._present():
            mark, reaped = self._leaders.get(pid), False
            if mark is None:
                look = self._adopted.scan(pid)
                if look is None:
                    continue
                mark, reaped = look
            if mark is None:
                self._cannot_tell(pid, marks, survivors_by_mark)
            elif mark in marks:
                survivors = survivors_by_mark.setdefault(mark, Survivors())
                if reaped:
                    survivors.reaped_any = True
                else:
                    yield from self._kill_tree(pid, survivors)
            yield

    def everyone(self, see: Callable[[int], object]) -> Iterator[None]:
        """Call `see` with the pid of every descendant of this process."""
        yield from self._family.refresh()
        waiting = [self._pid]
        while waiting:
            below = self._family.children(waiting.pop())
            for pid in below:
                see(pid)
                yield
            waiting += below

    def group(self, group: int, mark: int, *, kill: bool) -> Survivors:
        """Return who is alive of the group of a leader that has ended, SIGKILL sent where that is wanted.

        What the leader had started is adopted, and in its session if it is in its group. Where nobody is left of that,
        the number may be another's by now: somebody who bears another mark does not count.
        """
        survivors = Survivors()
        for _ in self._family.refresh():
            pass
        for pid in self._present():
            if pid in self._leaders or number(os.getsid, pid) != group:
                continue
            look = self._adopted.scan(pid)
            if look is not None and look[1]:
                survivors.reaped_any = True
            elif look is not None and look[0] in (mark, 0, None):
                waiting = [(pid, self._pid)]
                while waiting:
                    member, parent = waiting.pop()
                    waiting += [(child, member) for child in self._family.children(member)]
                    if number(os.getpgid, member) == group and kill:
                        self._kill(member, parent, survivors)
                    elif number(os.getpgid, member) == group and is_alive(member):
                        survivors.alive.append(member)
        return survivors

    def _cannot_tell(self, pid: int, marks: frozenset[int], survivors_by_mark: dict[int, Survivors]) -> None:
        """Note a child that may be of any task that lived when it was first seen: none of them is known to be gone."""
        for mark in marks & self._adopted.candidates(pid, marks):
            survivors = survivors_by_mark.setdefault(mark, Survivors())
            survivors.alive.append(pid)
            survivors.reason = UNKNOWN

    def _present(self) -> list[int]:
        # The newest first: of a chain of processes that hand over to each other the last one is the one that lives.
        present = self._family.children(self._pid)[::-1]
        self._adopted.keep_only(present)
        return present

    def _kill_tree(self, root: int, survivors: Survivors) -> Iterator[None]:
        # Parents before children: what is forked in between is adopted by this process and met in the next walk.
        waiting = [(root, self._pid)]
        while waiting:
            pid, parent = waiting.pop()
            below = self._family.children(pid)
            self._kill(pid, parent, survivors)
            waiting += [(child, pid) for child in below]
            yield

    def _kill(self, pid: int, parent: int, survivors: Survivors) -> None:
        pidfd = open_pidfd(pid)
        if pidfd is None:
            return
        try:
            # The pidfd is fixed on one process; only now is it certain that this is still the one that was meant.
            if not self._is_alive_below(pid, pidfd, parent):
                return
            survivors.alive.append(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except PermissionError:
            survivors.reason = OTHER_USER
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)

    def _is_alive_below(self, pid: int, pidfd: int, parent: int) -> bool:
        seen = procfs.stat(pid)
        if seen is not None:
            return seen.alive and seen.parent in (parent, self._pid)
        if procfs.ended(pidfd):
            return False
        # It is hidden. Its parent's list shows it all the same.
        return pid in self._family.children(parent) or pid in self._family.children(self._pid)
