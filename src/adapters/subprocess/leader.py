"""The first process of a task: whether it has ended, killing its group, reaping it, in the only safe order."""

import asyncio
import os
import time
from collections.abc import Callable

import structlog

from ...domain.ports.clock import Clock
from .watch import Watch

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

YOUNG_SECONDS = 0.01
YIELD_SECONDS = 1e-6
"""Given to leaders that have closed their stdout: exit(2) closes files before it makes a zombie, and whoever is woken
by that keeps the exiting process from the processor for as long as it runs. Neither further looks nor sched_yield(2)
help (1 of 100 is seen); a sleep as short as there is one, 60 us with the kernel's timer slack, does (99 of 100)."""
TRACED_PAUSE_SECONDS = 0.05
"""Between looks at a leader that is dead but held by its tracer, ptrace(2): its pidfd is readable all the time."""


class Leader:
    """A child of the agent that leads a process group.

    From its end to `reap` it is a zombie, so its pid and its group are still ours and may be signalled; afterwards
    they may belong to anybody.
    """

    __slots__ = ("_clock", "ended_at", "exit_code", "is_lost", "pid", "reaped")

    def __init__(self, pid: int, clock: Clock) -> None:
        """Take charge of a child that nobody else waits for."""
        self.pid = pid
        self._clock = clock
        # Monotonic seconds at which it was seen to have ended.
        self.ended_at: float | None = None
        self.reaped = False
        # Somebody else has reaped it: how it ended is not known, and its number may be anybody's.
        self.is_lost = False
        self.exit_code = 0

    def has_ended(self) -> bool:
        """Look, without reaping, whether it has ended; once true, always true."""
        if self.ended_at is None:
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:
                ended = self.is_lost = True
            self.ended_at = self._clock.monotonic_seconds() if ended else None
        return self.ended_at is not None

    def signal_group(self, number: int) -> None:
        """Send a signal to the group, unless the leader has been reaped: then the number may be another's."""
        if not (self.reaped or self.is_lost):
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return  # nobody is there, or every member runs as somebody else, such as sudo(8)

    def reap(self) -> None:
        """Collect the zombie: `exit_code` is as subprocess gives it, -n after signal n."""
        status = 0 if self.is_lost else os.waitpid(self.pid, 0)[1]
        self.reaped = True
        self.exit_code = os.waitstatus_to_exitcode(status)

    def group_is_gone(self) -> bool:
        """Return whether surely nobody has its pid for a group, after it was reaped; False means nothing."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Exits:
    """Tells when leaders have ended, with a pidfd (pidfd_open(2)) for each that gets old enough to need one.

    Most tasks end within milliseconds, and the end-of-file of their stdout shows it: opening, watching and closing a
    pidfd for those too costs a tenth of the agent's time for a task.
    """

    def __init__(self, watch: Watch) -> None:
        """Watch pidfds through `watch`."""
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[Leader, Callable[[], None]] = {}
        self._pidfds: dict[Leader, int] = {}
        self._young: list[Leader] = []
        self._older: list[Leader] = []
        # Looked at once more in the next iteration of the loop, before there is a pidfd.
        self._hastened: list[Leader] = []
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, leader: Leader, callback: Callable[[], None]) -> None:
        """Call back once when the leader has ended, YOUNG_SECONDS late at most, unless it is forgotten before."""
        self._callbacks[leader] = callback
        self._young.append(leader)
        if self._timer is None:
            self._set_timer()

    def forget(self, leader: Leader) -> None:
        """Call back no more."""
        self._callbacks.pop(leader, None)
        if leader in self._pidfds:
            self._close_pidfd(leader)

    def hasten(self, leader: Leader) -> None:
        """Call back the moment the leader ends: it has closed its stdout, so most often that is now.

        Where it takes longer, and no descriptor is to be had, it is the next tick.
        """
        if not self._hastened:
            self._loop.call_soon(self._look_early)
        self._hastened.append(leader)

    def _look_early(self) -> None:
        time.sleep(YIELD_SECONDS)
        hastened, self._hastened = self._hastened, []
        for leader in hastened:
            self._look_and_follow(leader)

    def _open_pidfd(self, leader: Leader) -> None:
        if leader in self._pidfds or leader not in self._callbacks:
            return
        try:
            pidfd = os.pidfd_open(leader.pid)
        except OSError:
            self._older.append(leader)
            return
        try:
            self._watch.add(pidfd, lambda: self._on_pidfd(leader))
            self._pidfds[leader] = pidfd
        except (OSError, MemoryError):
            os.close(pidfd)
            self._older.append(leader)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _age(self) -> None:
        # First of all, so that whatever fails here, the next one who is followed has the timer set again.
        self._timer = None
        grown, self._older, self._young = self._older, self._young, []
        for leader in grown:
            self._look_and_follow(leader)
        try:
            self._set_timer()
        except MemoryError:
            # Without it, nobody who is followed now might ever be looked at again.
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and (self._older or self._young):
            self._timer = self._loop.call_later(YOUNG_SECONDS / 2, self._age)

    def _look_and_follow(self, leader: Leader) -> None:
        try:
            self._look(leader)
            self._open_pidfd(leader)
        except Exception as error:  # noqa: BLE001 -- it costs neither the others nor this one the word of its end
            self._older.append(leader)
            _log.warning("cannot look whether a command has ended; looking again", pid=leader.pid, reason=repr(error))

    def _look(self, leader: Leader) -> None:
        callback = self._callbacks.get(leader)
        if callback is not None and leader.has_ended():
            try:
                self.forget(leader)
                callback()
            except Exception:
                # It has not been told yet, and is looked at again.
                self._callbacks[leader] = callback
                self._older.append(leader)
                self._set_timer()
                raise

    def _on_pidfd(self, leader: Leader) -> None:
        self._look(leader)
        if leader in self._pidfds:
            self._close_pidfd(leader)
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._look_again, leader)

    def _look_again(self, leader: Leader) -> None:
        self._look(leader)
        if leader in self._callbacks:
            self._loop.call_later(TRACED_PAUSE_SECONDS, self._look_again, leader)

    def _close_pidfd(self, leader: Leader) -> None:
        pidfd = self._pidfds.pop(leader)
        try:
            self._watch.remove(pidfd)
        finally:
            os.close(pidfd)
