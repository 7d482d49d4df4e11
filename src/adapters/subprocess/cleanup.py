"""Cleanup of a task that has to wait for processes, in the only order that is safe for pids."""

import contextlib
import signal

from .child_process import ChildProcess
from .context import Leftovers, ProcessContext
from .group import GroupWait
from .output.capture import Capture
from .spawn.start import Start


class Cleanup:
    """Cleans up one task: all of it, or what remains after its command has ended."""

    __slots__ = ("_at_once", "_context", "_group", "_kills_all", "_leader", "_mark", "_start")

    def __init__(self, leader: ChildProcess, mark: int, context: ProcessContext, start: Start | None) -> None:
        self._leader = leader
        self._mark = mark
        self._start = start
        self._context = context
        self._at_once = False
        self._kills_all = False
        # Set while the remaining processes of the group are waited for.
        self._group: GroupWait | None = None

    async def kill_task(self) -> None:
        """Kill all processes of the task and wait until they are dead."""
        self._kills_all = True
        await self._context.containment.kill_slot()
        if not self._leader.reaped:
            self._context.containment.scan_before_kill(self._leader.pid, self._mark)
            self._leader.signal_group(signal.SIGKILL)
        if self._start is None or not await self._start.was_killed_before(self._leader.has_ended):
            await self._context.containment.kill(self._mark)

    async def kill_group(self) -> None:
        """Kill the remaining group unless leftovers are kept; the leader has ended and is not reaped."""
        if self._context.leftovers is not Leftovers.KEEP:
            # While the group's number cannot be reused: a member that forks meanwhile cannot escape.
            self._leader.signal_group(signal.SIGKILL)
        if self._context.leftovers is Leftovers.KILL_ALL:
            await self.kill_task()

    async def wait_for_group(self) -> None:
        """Give the remaining group the rest of the linger, then kill it, unless leftovers are kept.

        The leader has ended.
        """
        context, leader = self._context, self._leader
        is_last = context.leftovers is Leftovers.KEEP if leader.reaped else reap_leader(leader, context)
        # `kill_now` may have been called before this coroutine began to run.
        if not is_last and not self._at_once:
            now = context.clock.monotonic_seconds()
            remaining = context.linger - (now - (now if leader.ended_at is None else leader.ended_at))
            self._group = GroupWait(leader.pid, self._mark, context.containment, context.poller)
            await self._group.wait(max(0.0, remaining))
        if context.leftovers is Leftovers.KILL_ALL or self._at_once:
            await self.kill_task()

    async def after_failure(self, capture: Capture) -> None:
        """Kill everything and drain the output, as far as that is possible."""
        with contextlib.suppress(Exception):
            await self.kill_task()
        with contextlib.suppress(Exception):
            await capture.drain()

    def hand_over_pipe(self, capture: Capture) -> None:
        """Keep the pipe open if a process holds it that is kept, or that is about to die."""
        pipe = None if self._kills_all else capture.release_pipe()
        if pipe is not None:
            self._context.discarder.add(pipe)

    def kill_now(self) -> None:
        """Kill everything without further waiting."""
        self._at_once = True
        if self._group is not None:
            self._group.cancel()


def reap_leader(leader: ChildProcess, context: ProcessContext) -> bool:
    """Reap a leader that has ended; return whether no other member of its group has to be killed."""
    leader.reap()
    context.containment.untrack(leader.pid)
    return context.leftovers is Leftovers.KEEP or leader.group_is_gone()


def reap_or_disown(child: ChildProcess, context: ProcessContext) -> None:
    """Reap an unreaped child now or, if it could not be killed, when it ends, like an adopted process."""
    try:
        if child.has_ended():
            reap_leader(child, context)
            return
    except MemoryError:
        if child.reaped:
            raise
    context.containment.disown(child.pid)
