"""How what is left of a task is cleared away where that takes more than a moment, and in the only safe order."""

import contextlib
import signal

from .context import Leftovers, ProcessContext
from .group import GroupWait
from .leader import Leader
from .output.capture import Capture
from .spawn.start import Start


class Cleanup:
    """Clears away one task: whole, or what its command has left behind."""

    __slots__ = ("_at_once", "_context", "_group", "_kills_all", "_leader", "_mark", "_start")

    def __init__(self, leader: Leader, mark: int, context: ProcessContext, start: Start | None) -> None:
        self._leader = leader
        self._mark = mark
        self._start = start
        self._context = context
        self._at_once = False
        self._kills_all = False
        # What is left of its group is waited for.
        self._group: GroupWait | None = None

    async def kill_task(self) -> None:
        """Kill whatever there is of the task, and see it dead."""
        self._kills_all = True
        await self._context.containment.kill_slot()
        if not self._leader.reaped:
            self._context.containment.scan_before_kill(self._leader.pid, self._mark)
            self._leader.signal_group(signal.SIGKILL)
        if self._start is None or not await self._start.was_killed_before(self._leader.has_ended):
            await self._context.containment.kill(self._mark)

    async def kill_group(self) -> None:
        """Kill what is left of the group, unless leftovers are to live; the leader has ended and is not reaped."""
        if self._context.leftovers is not Leftovers.KEEP:
            # While the number is surely theirs: who forks meanwhile does not get away.
            self._leader.signal_group(signal.SIGKILL)
        if self._context.leftovers is Leftovers.KILL_ALL:
            await self.kill_task()

    async def wait_for_group(self) -> None:
        """Give what is left of the group the rest of the linger, then kill it, unless leftovers are to live.

        The leader has ended.
        """
        context, leader = self._context, self._leader
        is_last = reap_leader(leader, context) if not leader.reaped else context.leftovers is Leftovers.KEEP
        # An order may have come before the first step of this.
        if not is_last and not self._at_once:
            now = context.clock.monotonic_seconds()
            left = context.linger - (now - (now if leader.ended_at is None else leader.ended_at))
            self._group = GroupWait(leader.pid, self._mark, context.containment, context.poller)
            await self._group.wait(max(0.0, left))
        if context.leftovers is Leftovers.KILL_ALL or self._at_once:
            await self.kill_task()

    async def after_failure(self, capture: Capture) -> None:
        """Kill everything and bring the output to rest, as far as that can be done."""
        with contextlib.suppress(Exception):
            await self.kill_task()
        with contextlib.suppress(Exception):
            await capture.drain()

    def hand_over_pipe(self, capture: Capture) -> None:
        """Leave the pipe open where somebody holds it who is meant to live, or dies in a moment."""
        pipe = None if self._kills_all else capture.release_pipe()
        if pipe is not None:
            self._context.discarder.add(pipe)

    def kill_now(self) -> None:
        """Wait for nothing: kill everything."""
        self._at_once = True
        if self._group is not None:
            self._group.cancel()


def reap_leader(leader: Leader, context: ProcessContext) -> bool:
    """Reap a leader that has ended; return whether it was the last of its group that has to go."""
    leader.reap()
    context.containment.untrack(leader.pid)
    return context.leftovers is Leftovers.KEEP or leader.group_is_gone()


def reap_or_disown(leader: Leader, context: ProcessContext) -> None:
    """Reap a leader that has not been, now or, if it could not be killed, whenever it ends, like what was adopted."""
    try:
        if leader.has_ended():
            reap_leader(leader, context)
            return
    except MemoryError:
        if leader.reaped:
            raise
    context.containment.disown(leader.pid)
