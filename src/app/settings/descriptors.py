"""How many clients and tasks the limit of open files has room for: the rest waits, instead of failing with EMFILE."""

import resource
from dataclasses import replace

from .model import Settings

OWN_DESCRIPTORS = 48
"""Of a worker: standard ones, listening sockets, epolls, netlink, pipes to the supervisor, reserved ones, and clients
that are being refused."""
TASK_DESCRIPTORS = 3
"""Of one task at most: its pipe, its pidfd, its spool file."""
CLIENT_DESCRIPTORS = 1
PART_KEPT = 4
"""One in so many is left to what outlives its task: pipes of daemons, and output that nobody has read yet."""
MIN_DESCRIPTORS = 80
_UNLIMITED = 2**31


def max_descriptors() -> int:
    """Return the hard limit of open files, to which the agent raises its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if hard == resource.RLIM_INFINITY else hard


def fit(settings: Settings, limit: int) -> Settings:
    """Return `settings` of one worker with no more clients and running tasks than `limit` open files have room for.

    Where both are too many, as many clients as tasks: fewer would leave tasks without clients, or the reverse.
    """
    room = limit - limit // PART_KEPT - OWN_DESCRIPTORS
    even = max(1, room // (TASK_DESCRIPTORS + CLIENT_DESCRIPTORS))
    clients, tasks = settings.max_connections, settings.max_running
    if clients * CLIENT_DESCRIPTORS + tasks * TASK_DESCRIPTORS <= room:
        return settings
    if clients <= even:
        tasks = (room - clients * CLIENT_DESCRIPTORS) // TASK_DESCRIPTORS
    elif tasks <= even:
        clients = (room - tasks * TASK_DESCRIPTORS) // CLIENT_DESCRIPTORS
    else:
        clients = tasks = even
    return replace(settings, max_connections=max(1, clients), max_running=max(1, tasks))


def lowered(settings: Settings, limit: int) -> dict[str, object]:
    """Return for the log which limits of all workers together are lower than was asked for, and why."""
    fitting = fit(settings, limit)
    if fitting == settings:
        return {}
    return {
        "max_connections": fitting.max_connections * settings.workers,
        "max_running": fitting.max_running * settings.workers,
        "lowered": f"there is room for no more in {limit} open files; raise that with ulimit -n or LimitNOFILE=",
    }
