"""Sets what a task inherits at its start: limits, which are restored for the agent afterwards, and timer slack.

The agent's own limits may be changed from outside at any time (prlimit(1)): tasks then get what is still allowed.
"""

import errno
import resource

TYPE_CHECKING = False
"""Instead of typing.TYPE_CHECKING: the starter would have to import typing."""
if TYPE_CHECKING:
    from ...linux.timer_slack import TimerSlack

RLIMIT_LOCKS = 10
"""Its soft limit is a task's mark: Linux does not enforce it. (As in procfs, which the starter does not import.)"""
Limits = tuple[int, int]
"""Soft and hard limit, as in getrlimit(2)."""
_REFUSED = (OSError, ValueError)
"""What Python raises if a limit may not be raised; which of them depends on the call."""
_CANNOT_MARK = "the agent's hard limit of file locks has been lowered, and tasks are told apart by it"


def at_most(wanted: Limits, hard: int) -> Limits:
    """Return `wanted`, reduced to what a hard limit allows."""
    if hard == resource.RLIM_INFINITY:
        return wanted
    soft_allowed, hard_allowed = (hard if limit == resource.RLIM_INFINITY else min(limit, hard) for limit in wanted)
    return soft_allowed, hard_allowed


class TaskLimits:
    """Sets a task's marks and its RLIMIT_NOFILE for this process; children inherit them."""

    __slots__ = ("_descriptors", "_locks", "_own_descriptors", "_own_locks", "_slack", "_wanted", "restorable")

    def __init__(self, wanted: Limits, slack: "TimerSlack | None" = None) -> None:
        """Tasks get `wanted` as RLIMIT_NOFILE, as far as it is allowed at their start, and a second mark by `slack`."""
        self._wanted = wanted
        self._slack = slack
        self._own_locks = self._locks = resource.getrlimit(RLIMIT_LOCKS)
        self._own_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._descriptors = at_most(wanted, self._own_descriptors[1])
        # Whether `set` changes anything that the agent needs for itself.
        self.restorable = self._descriptors != self._own_descriptors

    def descriptors_now(self) -> Limits:
        """Return the RLIMIT_NOFILE of a task that starts now."""
        return at_most(self._wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

    def set(self, mark: int) -> None:
        """Set marks and limits of a task; if `restorable`, `restore` must follow in any case.

        Raises OSError if the task cannot be marked. The marks stay set until the next task or `close`: the mark of this
        process itself means nothing, since its parent knows it by its pid.
        """
        locks = (mark, self._own_locks[1])
        # prlimit(2) also returns the previous limits: with privileges, this may raise a limit that has been lowered.
        try:
            before = resource.prlimit(0, RLIMIT_LOCKS, locks)
        except _REFUSED:
            before = None
        if before == self._locks:
            self._locks = locks
        else:
            self._update_and_mark(mark, before or resource.getrlimit(RLIMIT_LOCKS))
        slack = self._slack
        if slack is not None:
            # The same as `slack_of`, without a call.
            slack.prctl(slack.OPTION, slack.own + mark % slack.SECOND_MARKS)
        if self.restorable:
            self._set_descriptors()

    def slack_of(self, mark: int) -> int:
        """Return the timer slack that `set` sets, in nanoseconds; 0 if it does not change it."""
        return 0 if self._slack is None else self._slack.own + mark % self._slack.SECOND_MARKS

    def close(self) -> None:
        """Restore the marks of this process and thread, as far as that is still allowed."""
        resource.setrlimit(RLIMIT_LOCKS, at_most(self._own_locks, resource.getrlimit(RLIMIT_LOCKS)[1]))
        if self._slack is not None:
            self._slack.prctl(self._slack.OPTION, self._slack.own)

    def restore(self) -> None:
        """Restore the agent's own limit of open files, as far as that is still allowed."""
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._own_descriptors)
        except _REFUSED:
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            soft, _ = at_most(self._own_descriptors, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def _update_and_mark(self, mark: int, before: Limits) -> None:
        self._own_locks = self._locks = before
        if mark > before[1] != resource.RLIM_INFINITY:
            # With privileges, the limit has just been raised.
            resource.setrlimit(RLIMIT_LOCKS, before)
            raise OSError(errno.EPERM, _CANNOT_MARK)
        self._locks = (mark, before[1])
        resource.setrlimit(RLIMIT_LOCKS, self._locks)

    def _set_descriptors(self) -> None:
        if self._own_descriptors[1] == self._wanted[1]:
            try:
                before = resource.prlimit(0, resource.RLIMIT_NOFILE, self._descriptors)
            except _REFUSED:
                before = resource.getrlimit(resource.RLIMIT_NOFILE)
        else:
            # Read it first: if the hard limit was raised from outside meanwhile, lowering it here would be permanent.
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, at_most(self._wanted, before[1]))
        if before != self._own_descriptors:
            self._own_descriptors = before
            self._descriptors = at_most(self._wanted, before[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, self._descriptors)
